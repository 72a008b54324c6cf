"""N-grams: the same for the same text, few enough for any text, and of length 1 once weighted."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.head.lexical import BUCKETS, HEAD_CHARACTERS, TAIL_CHARACTERS, ngrams, weights


@given(st.text(max_size=300))
def test_any_text_has_counts_in_the_range_of_buckets(text: str) -> None:
    for counts in ngrams(text):
        assert all(0 <= bucket < BUCKETS and count >= 1 for bucket, count in counts.items())


@given(st.text(max_size=300))
def test_case_does_not_matter_where_it_can_be_undone(text: str) -> None:
    if text.lower() == text.upper().lower():
        assert ngrams(text.upper()) == ngrams(text.lower())


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 50), min_size=1, max_size=30))
def test_weights_have_length_one_and_grow_with_the_count(counts: dict[int, int]) -> None:
    found = weights(counts)
    assert math.isclose(sum(value * value for value in found.values()), 1.0)
    ranked = sorted(counts, key=counts.__getitem__)
    assert all(found[a] <= found[b] + 1e-12 for a, b in itertools.pairwise(ranked))


def test_a_text_without_words_has_no_ngrams() -> None:
    assert ngrams(" \n\t ") == ({}, {})
    assert weights({}) == {}


def test_word_pairs_tell_the_order_of_words_apart() -> None:
    assert ngrams("dog bites man")[0] != ngrams("man bites dog")[0]


@pytest.mark.parametrize("length", [100_000, 1_000_000])
def test_the_middle_of_a_long_text_is_not_looked_at(length: int) -> None:
    head, tail = "a b " * (HEAD_CHARACTERS // 4), " c d" * (TAIL_CHARACTERS // 4)
    assert ngrams(head + "x" * length + tail) == ngrams(head + "y" * length + tail)


def test_lone_surrogates_and_endless_words_do_no_harm() -> None:
    words, letters = ngrams("\ud800" + "a" * 5000)
    assert words
    assert len(letters) < 200
