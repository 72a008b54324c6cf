"""Folds of sources, flips of labels, and tables of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fairlead_contract.generated import between_marks
from fairlead_learning.evaluate.baselines import Method
from fairlead_learning.evaluate.evaluation import evaluate, figures
from fairlead_learning.evaluate.flips import flips
from fairlead_learning.evaluate.folds import FOLDS, fold_of, of_methods, rescored, splits
from fairlead_learning.evaluate.served import Given, answers
from fairlead_learning.evaluate.tables import classes_table, flips_table, methods_table, parts_table, sources_table
from fairlead_learning.rules import Rulebook
from fairlead_learning.train.rows import read_rows
from tests.learning.evaluate.stand_in import RULES, Told
from tests.learning.evaluate.test_evaluation import KNOWN, ROWS

ROOT = Path(__file__).parents[3]
TRAIN = read_rows([ROOT / "learning/data/prompts_train.jsonl"])
DOCUMENT = ROOT / "docs/evaluation.md"


def _shortest(texts: Sequence[str], labels: Sequence[str]) -> Method:
    """A method: the label of the shortest text that was learned from."""
    label = min(zip(map(len, texts), labels, strict=True))[1]
    return lambda asked: Given([label] * len(asked), None)


def test_each_source_of_the_training_data_but_one_is_left_out_in_exactly_one_fold() -> None:
    left_out = [{row.source for row in rows} for _, _, rows in splits(TRAIN)]
    assert sum(map(len, left_out)) == len(set.union(*left_out))
    assert {row.source for row in TRAIN} - set.union(*left_out) == {"dolly_information_extraction"}


@pytest.mark.parametrize("fold", FOLDS)
def test_each_category_keeps_rows_of_other_sources_in_each_fold(fold: str) -> None:
    (learned_from,) = (rows for name, rows, _ in splits(TRAIN) if name == fold)
    assert {row.label for row in learned_from} == {row.label for row in TRAIN}
    assert all(fold_of(row.source) != fold for row in learned_from)


def test_rows_of_unknown_sources_are_never_left_out() -> None:
    assert fold_of("somewhere_else") is None
    assert list(splits(ROWS)) == []


def test_a_method_is_fitted_to_the_others_and_judged_on_those_left_out() -> None:
    rows = TRAIN[:: len(TRAIN) // 60]
    (found,) = of_methods(rows, {"shortest": _shortest}, lambda words: None).values()
    assert found.overall.ece is None
    weights = {name: len(left_out) for name, _, left_out in splits(rows)}
    mean = sum(found.folds[name] * size for name, size in weights.items()) / sum(weights.values())
    assert found.overall.accuracy == pytest.approx(mean, abs=1e-3)


def test_rules_with_other_scores_are_the_same_rules() -> None:
    book = Rulebook.default()
    scores = {rule.name: rule.score for rule in book.sources}
    again = rescored(book, scores)
    assert [rule.weight for rule in again.rules] == [rule.weight for rule in book.rules]
    first = book.sources[0].name
    other = rescored(book, scores | {first: scores[first] / 2})
    assert other.rules[0].weight < book.rules[0].weight


def test_a_flip_is_another_label_than_before_be_it_right_or_wrong() -> None:
    def label(texts: Sequence[str]) -> dict[str, list[str]]:
        return {"by case": ["math" if text.islower() else "chat" for text in texts], "stubborn": ["math"] * len(texts)}

    rows = [type(ROWS[0])(text, "math") for text in ("Add 3 and 4", "add 3 and 4", "SUM", "Three")]
    found = flips(rows, label, seed=1)["lower case"]
    assert (found["by case"].flipped, found["by case"].accuracy) == (0.75, 1.0)
    assert (found["stubborn"].flipped, found["stubborn"].accuracy) == (0.0, 1.0)


def test_all_rows_of_tables_have_as_many_cells_as_their_heads() -> None:
    learned = Told(KNOWN)
    ours = evaluate(
        ROWS,
        answers(RULES, learned, [row.text for row in ROWS]),
        labels=learned.labels,
        digest=learned.digest,
        error_percent=10.0,
    )
    rows = TRAIN[:: len(TRAIN) // 60]
    flipped = flips(ROWS, lambda texts: {"one": ["a"] * len(texts), "other": ["b"] * len(texts)}, seed=1)
    for block in (
        methods_table({"one": figures(["a"], ["a"], [0.5]), "other": figures(["a"], ["b"], None)}),
        parts_table(ours),
        classes_table(ours),
        flips_table(flipped),
        sources_table(of_methods(rows, {"shortest": _shortest}, lambda words: None)),
    ):
        table = [line for line in block.splitlines() if line.startswith("|")]
        assert len(table) > 2
        assert len({line.count("|") for line in table}) == 1


@pytest.mark.parametrize(
    "mark", ["methods", "parts", "classes", "rows by source", "flips", "left-out sources", "our sources"]
)
def test_the_document_has_a_place_for_each_table(mark: str) -> None:
    assert between_marks(DOCUMENT.read_text(), mark, "here\n").count("here\n") >= 1
