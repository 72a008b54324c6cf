from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.text.words import END, plain, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a POEM", ["write", "a", "poem"]),
        ("What's new?", ["what", "s", "new", END]),
        ("what\u2019s", ["what", "s"]),
        ("One. Two\nThree: four", ["one", END, "two", END, "three", END, "four"]),
        ("3.5 apples", ["3.5", "apples"]),
        ("写一首诗。", ["写", "一", "首", "诗", END]),
        ("कविता लिखो।", ["कविता", "लिखो", END]),
        ("시를", ["시", "를"]),
        ("one\n\n\n two", ["one", END, "two"]),
        ("", []),
    ],
)
def test_words_and_ends_of_sentences(text: str, expected: list[str]) -> None:
    assert words(plain(text)) == expected


@pytest.mark.parametrize(
    "disguised",
    [
        "wri\u200dte a po\u200bem",
        "ｗｒｉｔｅ ａ ｐｏｅｍ",
        "wrіte а pоem",
        "w\u00adrite a p\u2060oem",
        "write\x00a\x00poem",
        "𝐰𝐫𝐢𝐭𝐞 𝐚 𝐩𝐨𝐞𝐦",
    ],
    ids=["joiners", "full width", "Cyrillic letters", "soft hyphens", "NUL", "mathematical letters"],
)
def test_disguises_are_taken_off(disguised: str) -> None:
    assert words(plain(disguised)) in (["write", "a", "poem"], ["write", "а", "poem"])


def test_russian_words_stay_russian() -> None:
    assert words(plain("напиши стих")) == ["напиши", "стих"]


@pytest.mark.parametrize("sign", ["\ufdfa", "\u33a8", "ﬄ", "\u2026"])
def test_signs_that_stand_for_several_letters_do_not_blow_a_text_up(sign: str) -> None:
    assert len(plain(sign * 1_000)) <= 1_200


def test_an_ellipsis_in_a_short_text_costs_it_no_words() -> None:
    assert words(plain("Well … " * 20 + "write a poem"))[-3:] == ["write", "a", "poem"]


def test_of_a_long_run_of_marks_a_few_are_kept() -> None:
    assert len(plain("a" + "\u0301\u0316" * 5_000)) <= 5


def test_letters_and_their_accents_are_brought_together() -> None:
    assert words(plain("cafe\u0301 ｶﾞ")) == ["café", "ガ"]


@given(st.text(st.characters(max_codepoint=127)))
def test_making_plain_twice_changes_nothing_more(text: str) -> None:
    assert plain(plain(text)) == plain(text)
