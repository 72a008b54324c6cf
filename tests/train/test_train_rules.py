from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fairlead_learning.categories import CATEGORIES
from fairlead_learning.evaluate.folds import refitted, rescored
from fairlead_learning.rules import Rulebook, judge
from fairlead_learning.rules.judge import speaking
from fairlead_learning.text.surface import surface
from fairlead_learning.train.rules import Spoken, beliefs, counted, fitted, probabilities

BOOK = Rulebook.default()
DATA = Path(__file__).parents[2] / "learning" / "data" / "prompts_train.jsonl"
TEXTS = ["Write a Python function to sort a list", "hi", "", "What are some ideas for a story?", "Solve 2x + 5 = 15"]


def active(text: str) -> np.ndarray:
    names = {rule.name for rule in speaking(BOOK, text, surface(text))}
    return np.array([[float(rule.name in names) for rule in BOOK.rules]])


@pytest.mark.parametrize("text", TEXTS)
def test_fitting_reckons_as_judging_does(text: str) -> None:
    _, owners, log_priors = beliefs(BOOK)
    weights = np.array([rule.weight for rule in BOOK.rules])
    found = probabilities(weights, owners, log_priors, counted(weights, owners, active(text)))[0]
    assert dict(zip(CATEGORIES, found, strict=True)) == pytest.approx(judge(BOOK, text, surface(text)).scores)


def rows(speaks: int, right: int, wrong: int) -> Spoken:
    """Rows for which the rule at the position spoke, with its own category or another."""
    count = right + wrong
    spoken = np.zeros((count, len(BOOK.rules)))
    spoken[:, speaks] = 1
    own = CATEGORIES.index(BOOK.rules[speaks].category)
    labels = np.array([own] * right + [(own + 1) % len(CATEGORIES)] * wrong)
    return Spoken(spoken, labels, np.array(["s"] * count))


def test_data_lower_what_an_author_believed_and_do_not_raise_it() -> None:
    believed, owners, log_priors = beliefs(BOOK)
    agreed = fitted(believed, owners, log_priors, rows(0, 50, 0))[0]
    contradicted = fitted(believed, owners, log_priors, rows(0, 5, 45))[0]
    silent = fitted(believed, owners, log_priors, rows(1, 50, 0))[0]
    assert agreed == pytest.approx(silent)
    assert contradicted < agreed - 0.5


def test_folds_fit_the_scores_as_those_in_force_were_fitted() -> None:
    """So figures on sources left out are of the recipe that is shipped; and whoever changes a rule is told to fit again."""
    forgotten = rescored(BOOK, {rule.name: 0.5 for rule in BOOK.sources})
    found = {rule.name: rule.score for rule in refitted(forgotten, DATA).sources}
    assert found == {rule.name: rule.score for rule in BOOK.sources}
