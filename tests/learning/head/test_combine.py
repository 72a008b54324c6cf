"""Probabilities of the head and its conformal sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairlead_learning.head.combine import combined, conformal_set, conformal_threshold

LABELS = ("a", "b", "c")
scores = arrays(np.float64, (4, 3), elements=st.floats(-50, 50))


@given(scores, scores, st.floats(0, 2), st.floats(0.2, 10))
def test_probabilities_sum_to_one(encoder, lexical, weight, temperature) -> None:
    found = combined(encoder, lexical, lexical_weight=weight, temperature=temperature)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()


@given(scores, scores)
def test_without_weight_the_ngrams_say_nothing(encoder, lexical) -> None:
    assert np.allclose(
        combined(encoder, lexical, lexical_weight=0, temperature=1),
        combined(encoder, np.zeros_like(lexical), lexical_weight=1, temperature=1),
    )


def test_a_higher_temperature_is_less_sure() -> None:
    encoder, lexical = np.array([[2.0, 1.0, 0.0]]), np.zeros((1, 3))
    sure, unsure = (combined(encoder, lexical, lexical_weight=1, temperature=t).max() for t in (0.5, 5.0))
    assert sure > unsure


@pytest.mark.parametrize(
    ("percent", "threshold"),
    [(0, 0.0), (0.9, 0.0), (1, 0.01), (10, 0.10), (50, 0.50), (100, 0.99)],
)
def test_the_threshold_leaves_out_at_most_the_share_that_is_chosen(percent: float, threshold: float) -> None:
    right = np.arange(1, 100) / 100
    assert conformal_threshold(right, percent) == pytest.approx(threshold)


@given(st.integers(20, 200), st.floats(1, 40), st.integers(0, 2**32 - 1))
def test_calibration_rows_themselves_are_covered(count: int, percent: float, seed: int) -> None:
    right = np.sort(np.random.default_rng(seed).random(count))
    assert (right >= conformal_threshold(right, percent)).mean() >= 1 - percent / 100


def test_new_rows_are_covered_as_often_as_promised() -> None:
    draw = np.random.default_rng(7)
    covered = [
        (draw.beta(4, 1, 50) >= conformal_threshold(np.sort(draw.beta(4, 1, 200)), 10)).mean() for _ in range(400)
    ]
    assert 0.89 <= np.mean(covered) <= 0.92


@pytest.mark.parametrize(
    ("probabilities", "threshold", "expected"),
    [
        ([0.2, 0.7, 0.1], 0.15, ("b", "a")),
        ([0.2, 0.7, 0.1], 0.5, ("b",)),
        ([0.2, 0.7, 0.1], 0.9, ("b",)),
        ([0.2, 0.7, 0.1], 0.0, ("b", "a", "c")),
        ([0.4, 0.4, 0.2], 0.3, ("a", "b")),
    ],
)
def test_a_set_holds_what_reaches_the_threshold_and_is_never_empty(probabilities, threshold, expected) -> None:
    assert conformal_set(np.array(probabilities), LABELS, threshold) == expected
