"""Changes of texts that leave their category as it is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.evaluate.perturb import CHANGES, changed, lower_case, polite, reworded, typos, without_marks

DRAW = random.Random(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a poem about rain.", "Can you compose a poem about rain?"),
        ("Can you list three rivers?", "List three rivers."),
        ("could you please tell me a joke? Thanks", "Tell me a joke. Thanks"),
        ("What is the capital of Peru?", "What's the capital of Peru?"),
        ("what's the time", "what is the time"),
        ("Here is a text. Summarize it", "Here is a text. Sum up it"),
        ("Write it.\nThen explain it.", "Compose it.\nThen explain it."),
        ("I CANNOT sleep", "I Can't sleep"),
        ("Rewrite this", "Rewrite this"),
        ("", ""),
    ],
)
def test_rewording_keeps_what_is_asked_for(text: str, expected: str) -> None:
    assert reworded(text, DRAW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well, is it 3.14? No!", "Well is it 3.14 No"),
        ("x = f(a, b); print(x.y)", "x = f(a b) print(x.y)"),
        ("one;two", "one;two"),
    ],
)
def test_marks_go_at_the_ends_of_words_alone(text: str, expected: str) -> None:
    assert without_marks(text, DRAW) == expected


def test_politeness_is_put_around_the_text() -> None:
    said = {polite("sort a list", random.Random(seed)) for seed in range(40)}
    assert len(said) == 4
    assert all("sort a list" in each and len(each) > len("sort a list") for each in said)


def test_letters_become_small() -> None:
    assert lower_case("Was IST das?", DRAW) == "was ist das?"


@given(st.text(max_size=300), st.integers(0, 99))
def test_the_same_seed_changes_any_text_in_the_same_way(text: str, seed: int) -> None:
    for change in CHANGES.values():
        assert changed(change, [text, text], seed=seed) == changed(change, [text, text], seed=seed)


@given(st.lists(st.sampled_from(("sort", "harbour", "a", "of", "kings")), min_size=5, max_size=60), st.integers(0, 99))
def test_typos_change_at_most_one_letter_in_forty(words: list[str], seed: int) -> None:
    text = " ".join(words)
    slipped = typos(text, random.Random(seed))
    assert abs(len(text) - len(slipped)) <= len(text) // 40 + 1
