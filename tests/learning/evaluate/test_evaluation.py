"""What is served, judged: which half decided, how rightly, and what the sets are worth."""

from __future__ import annotations

import msgspec
import pytest

from fairlead_learning.evaluate.evaluation import Evaluation, evaluate, figures
from fairlead_learning.evaluate.served import answers, halves
from fairlead_learning.train.rows import Row
from tests.learning.evaluate.stand_in import RULES, Told

SURE = "Write a Python function."
"""Of this the rules are sure."""
KNOWN = {
    SURE: (0.1, 0.8, 0.1),
    "zxqv": (0.05, 0.9, 0.05),
    "vqxz": (0.2, 0.4, 0.4),
    "xzvq": (0.0, 0.1, 0.9),
}
ROWS = [
    Row(SURE, "coding", "one"),
    Row("zxqv", "math", "two"),
    Row("vqxz", "chat", "two"),
    Row("xzvq", "poetry"),
]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    learned = Told(KNOWN)
    found = answers(RULES, learned, [row.text for row in ROWS])
    return evaluate(ROWS, found, labels=learned.labels, digest=learned.digest, error_percent=10.0)


def test_the_learned_head_is_not_heard_where_rules_are_sure(evaluation: Evaluation) -> None:
    assert evaluation.rules_sure is not None
    assert (evaluation.rules_sure.n, evaluation.rules_sure.accuracy) == (1, 1.0)
    assert {name: each.n for name, each in evaluation.paths.items()} == {"Rules": 1, "Learned": 3}


def test_accuracy_is_that_of_the_hybrid_and_its_halves_stand_beside_it(evaluation: Evaluation) -> None:
    assert (evaluation.n, evaluation.accuracy) == (4, 0.5)
    assert evaluation.learned_alone.accuracy == 0.25
    assert evaluation.rules_alone.accuracy == 0.25


def test_a_label_that_the_classifier_does_not_know_is_one_that_it_misses(evaluation: Evaluation) -> None:
    assert evaluation.per_class["poetry"].n == 1
    assert evaluation.per_class["poetry"].f1 == 0
    assert evaluation.confusion["poetry"]["chat"] == 1


def test_conformal_sets_are_counted_as_they_are_served(evaluation: Evaluation) -> None:
    sets = evaluation.conformal
    # {coding}, {math}, {math, chat}, {chat} where poetry is right.
    assert (sets.coverage, sets.mean_set_size, sets.certain_share) == (0.75, 1.25, 0.75)
    assert sets.accuracy_when_certain == pytest.approx(2 / 3, abs=1e-4)


def test_rows_without_a_source_are_in_no_source(evaluation: Evaluation) -> None:
    assert {name: (each.n, each.accuracy) for name, each in evaluation.per_source.items()} == {
        "one": (1, 1.0),
        "two": (2, 0.5),
    }


def test_the_object_has_what_others_read(evaluation: Evaluation) -> None:
    printed = msgspec.json.decode(msgspec.json.encode(evaluation))
    assert {"n", "accuracy", "macro_f1", "ece", "per_class", "confusion"} <= printed.keys()
    assert set(printed["per_class"]["math"]) == {"f1", "precision", "recall", "n"}


def test_labels_without_confidences_have_no_calibration() -> None:
    found = figures(["a", "b"], ["a", "a"], None)
    assert (found.accuracy, found.ece, found.brier) == (0.5, None, None)


def test_both_halves_and_the_whole_are_told_apart() -> None:
    learned = Told(KNOWN)
    found = halves(answers(RULES, learned, [SURE]), learned.labels)
    assert {name: given.labels for name, given in found.items()} == {
        "rules alone": ["coding"],
        "learned head alone": ["math"],
        "hybrid, as served": ["coding"],
    }
