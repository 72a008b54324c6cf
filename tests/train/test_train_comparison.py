"""Our figures are scikit-learn's, other methods do what they are called, plots are the same for the same figures."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from fairlead_learning.evaluate.baselines import (
    Embed,
    Floats,
    logistic_regression,
    majority,
    nearest_neighbours,
    tfidf_svm,
)
from fairlead_learning.evaluate.metrics import accuracy, class_scores, confusion_of, macro_f1
from fairlead_learning.evaluate.plots import confusion_plot, reliability_diagram
from fairlead_learning.evaluate.served import Given

LABELS = ("coding", "math", "chat", "general")
TEXTS = ["sort the list in python", "fix this python function", "add three and four", "what is seven plus two"] * 6
RIGHT = ["coding", "coding", "math", "math"] * 6


def _embed() -> Embed:
    def embed(texts: list[str]) -> Floats:
        rows = np.array([[("python" in text) + 0.1, ("python" not in text) + 0.1] for text in texts], np.float32)
        result: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return result

    return embed


@pytest.mark.parametrize("seed", range(20))
def test_figures_of_any_labels_are_those_of_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    right = draw.choices(LABELS[: draw.randint(2, 4)], k=50)
    given = draw.choices(LABELS[: draw.randint(2, 4)], k=50)
    found = confusion_of(right, given)
    labels = list(found.labels)
    assert accuracy(found) == pytest.approx(accuracy_score(right, given))
    assert macro_f1(found) == pytest.approx(f1_score(right, given, average="macro", zero_division=0))
    assert (found.counts == confusion_matrix(right, given, labels=labels)).all()
    precision, recall, f1, n = precision_recall_fscore_support(right, given, labels=labels, zero_division=0)
    for place, scores in enumerate(class_scores(found).values()):
        assert scores == pytest.approx((f1[place], precision[place], recall[place], n[place]))


def test_the_majority_is_given_to_all_with_its_share() -> None:
    given = majority(["a"] * 4, ["chat", "chat", "chat", "math"])(["x", "y"])
    assert (given.labels, given.confidences) == (["chat", "chat"], [0.75, 0.75])


def test_methods_learn_what_can_be_learned() -> None:
    asked, expected = ["a python question", "three and seven"], ["coding", "math"]
    for fit in (tfidf_svm, logistic_regression(_embed()), nearest_neighbours(_embed())):
        given = fit(TEXTS, RIGHT)(asked)
        assert given.labels == expected
        assert given.confidences is None or all(0.5 < sure <= 1 for sure in given.confidences)


def test_the_same_figures_give_the_same_plots(tmp_path: Path) -> None:
    given = Given(["coding", "math"] * 12, [0.5, 0.9] * 12)
    for name in ("one", "other"):
        reliability_diagram(tmp_path / f"{name}-reliability.png", RIGHT, {"ours": given})
        confusion_plot(tmp_path / f"{name}-confusion.png", confusion_of(RIGHT, given.labels))
    for plot in ("reliability", "confusion"):
        one, other = ((tmp_path / f"{name}-{plot}.png").read_bytes() for name in ("one", "other"))
        assert one == other
        assert one.startswith(b"\x89PNG")
