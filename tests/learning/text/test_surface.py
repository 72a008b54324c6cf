from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.text.excerpt import HEAD_CHARACTERS, TAIL_CHARACTERS, excerpt
from fairlead_learning.text.surface import FEATURE_NAMES, surface
from tests.learning.hostile import HOSTILE


@pytest.mark.parametrize(
    ("text", "feature", "expected"),
    [
        ("one two three", "words", 3),
        ("写一首诗", "words", 3),
        ("", "words", 0),
        ("", "lines", 0),
        ("a\nb\n", "lines", 3),
        ("Why? Really?", "questions", 2),
        ("Why? Really? ", "ends_asking", 1),
        ("为什么？", "ends_asking", 1),
        ("Why? Because.", "ends_asking", 0),
        ("I have 3 apples and 2.5 pears for $4", "numbers", 3),
        ("numpy2 and x1 are names", "numbers", 0),
        ("```py\nx\n```", "fences", 2),
        ("def f(x):\n    return x\n", "code_lines", 2),
        ("I import wine. Then we return home.", "code_lines", 0),
        (r"Find $\frac{a}{b}$", "formulas", 1),
        ("It costs $5 or $10", "formulas", 0),
        ("Pick:\n- red\n- blue\n2) green", "items", 3),
        ("Which?\nA. one\nB. two\n(c) three", "options", 3),
        ('He said "no"', "quotes", 2),
        ("abc1", "digit_share", 0.25),
        ("ABcd", "upper_share", 0.5),
        ("aé", "foreign_share", 0.5),
        ("if a == b && c -> d", "operators", 3),
        ("call f(x), g() and h[0]", "operators", 3),
        ("my_name", "operators", 1),
        ("fill in: ____ and ____", "operators", 0),
        ("\n" * 30 + " " * 30 + "x = y;", "code_lines", 0),
        ("ab abcd", "word_length", 3.0),
    ],
)
def test_what_is_counted(text: str, feature: str, expected: float) -> None:
    assert getattr(surface(text), feature) == expected


def test_the_length_of_a_long_text_is_that_of_all_of_it() -> None:
    found = surface("one word\n" * 25_000)
    assert found.characters == 225_000
    assert 45_000 < found.words < 55_000
    assert 22_500 < found.lines < 27_500


def test_the_excerpt_of_a_long_text_is_its_head_and_its_tail() -> None:
    text = "h" * HEAD_CHARACTERS + "m" * 10_000 + "t" * TAIL_CHARACTERS
    assert excerpt(text) == "h" * HEAD_CHARACTERS + "\n" + "t" * TAIL_CHARACTERS
    assert excerpt("short") == "short"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_have_features(name: str) -> None:
    assert all(math.isfinite(value) and value >= 0 for value in astuple(surface(HOSTILE[name])))


@given(st.text())
def test_any_text_has_features_and_shares_lie_between_0_and_1(text: str) -> None:
    found = surface(text)
    assert all(0 <= getattr(found, name) <= 1 for name in FEATURE_NAMES if name.endswith("_share"))
    assert all(math.isfinite(value) for value in astuple(found))
