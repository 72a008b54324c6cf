"""Figures of merit, against cases worked out by hand and laws that hold for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.evaluate.metrics import (
    ClassScores,
    accuracy,
    brier,
    class_scores,
    confusion_of,
    expected_calibration_error,
    intervals,
    macro_f1,
    reliability,
)

LABELS = st.sampled_from("abcd")
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40)
ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)

RIGHT = ["a", "a", "a", "b", "b", "c"]
GIVEN = ["a", "a", "b", "b", "d", "c"]


def test_confusion_has_right_labels_in_rows_and_given_ones_in_columns() -> None:
    found = confusion_of(RIGHT, GIVEN)
    assert found.labels == ("a", "b", "c", "d")
    assert found.counts.tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found.n == 6


def test_labels_stand_in_the_order_that_is_asked_for_and_others_after_them() -> None:
    assert confusion_of(RIGHT, GIVEN, ("c", "x", "a")).labels == ("c", "a", "b", "d")


def test_scores_of_classes_are_those_worked_out_by_hand() -> None:
    assert class_scores(confusion_of(RIGHT, GIVEN)) == {
        "a": ClassScores(pytest.approx(0.8), 1.0, pytest.approx(2 / 3), 3),
        "b": ClassScores(0.5, 0.5, 0.5, 2),
        "c": ClassScores(1.0, 1.0, 1.0, 1),
        "d": ClassScores(0.0, 0.0, 0.0, 0),
    }


def test_accuracy_and_macro_f1_are_those_worked_out_by_hand() -> None:
    found = confusion_of(RIGHT, GIVEN)
    assert accuracy(found) == pytest.approx(4 / 6)
    # A label that is given and never right counts, as in scikit-learn.
    assert macro_f1(found) == pytest.approx((0.8 + 0.5 + 1.0 + 0.0) / 4)


@pytest.mark.parametrize(("right", "found"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_labels_that_are_no_pairs_are_refused(right: Sequence[str], found: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="one of each for every row"):
        confusion_of(right, found)


@given(PAIRS)
def test_all_figures_lie_between_0_and_1_and_perfection_is_1(pairs: list[tuple[str, str]]) -> None:
    right, found = [one for one, _ in pairs], [other for _, other in pairs]
    confusion = confusion_of(right, found)
    assert 0 <= accuracy(confusion) <= 1
    assert 0 <= macro_f1(confusion) <= 1
    assert (macro_f1(confusion) == 1) == (accuracy(confusion) == 1) == (right == found)


@given(PAIRS)
def test_accuracy_is_the_mean_of_recalls_weighed_by_their_rows(pairs: list[tuple[str, str]]) -> None:
    confusion = confusion_of([one for one, _ in pairs], [other for _, other in pairs])
    scores = class_scores(confusion).values()
    assert accuracy(confusion) == pytest.approx(sum(each.recall * each.n for each in scores) / len(pairs))


@given(PAIRS)
def test_exchanging_right_and_given_exchanges_precision_and_recall(pairs: list[tuple[str, str]]) -> None:
    right, found = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = class_scores(confusion_of(right, found)), class_scores(confusion_of(found, right))
    for label, each in there.items():
        assert (each.f1, each.precision, each.recall) == (back[label].f1, back[label].recall, back[label].precision)


def test_confidence_that_is_as_high_as_accuracy_has_no_calibration_error() -> None:
    hits = np.array([True, True, True, False] * 30)
    assert expected_calibration_error(np.full(120, 0.75), hits) == pytest.approx(0)
    assert expected_calibration_error(np.full(120, 1.0), hits) == pytest.approx(0.25)


def test_calibration_error_is_the_mean_distance_over_bins_of_equal_mass() -> None:
    confidences = np.array([0.9, 0.8, 0.3, 0.2])
    hits = np.array([True, True, True, False])
    # Bins {0.2, 0.3} and {0.8, 0.9}: |0.25 - 0.5| and |0.85 - 1|.
    assert expected_calibration_error(confidences, hits, bins=2) == pytest.approx((0.25 + 0.15) / 2)


@given(ANSWERS, st.integers(1, 20), st.integers(0, 99))
def test_bins_hold_all_rows_in_about_equal_numbers_whatever_their_order(
    answers: list[tuple[float, bool]], bins: int, seed: int
) -> None:
    confidences, hits = np.array([one for one, _ in answers]), np.array([other for _, other in answers])
    found = reliability(confidences, hits, bins)
    assert sum(each.n for each in found) == len(answers)
    assert max(each.n for each in found) - min(each.n for each in found) <= 1
    order = np.random.default_rng(seed).permutation(len(answers))
    again = reliability(confidences[order], hits[order], bins)
    assert [value for each in found for value in each] == pytest.approx([value for each in again for value in each])


@given(ANSWERS)
def test_one_bin_measures_how_much_too_sure_all_answers_are_together(answers: list[tuple[float, bool]]) -> None:
    confidences, hits = np.array([one for one, _ in answers]), np.array([other for _, other in answers])
    together = abs(confidences.mean() - hits.mean())
    assert expected_calibration_error(confidences, hits, bins=1) == pytest.approx(together)
    assert together - 1e-9 <= expected_calibration_error(confidences, hits) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("confidence", "hit", "expected"), [(1.0, True, 0.0), (1.0, False, 1.0), (0.5, True, 0.25), (0.25, False, 0.0625)]
)
def test_brier_is_the_squared_distance_from_what_came_true(confidence: float, hit: bool, expected: float) -> None:
    assert brier(np.array([confidence]), np.array([hit])) == expected


def test_intervals_hold_the_figure_and_are_the_same_for_the_same_seed() -> None:
    confusion = confusion_of(["a"] * 80 + ["b"] * 20, ["a"] * 70 + ["b"] * 30)
    of_accuracy, of_f1 = intervals(confusion, seed=3)
    assert of_accuracy.low < accuracy(confusion) < of_accuracy.high
    assert of_f1.low < macro_f1(confusion) < of_f1.high
    assert intervals(confusion, seed=3) == (of_accuracy, of_f1)
    assert intervals(confusion, seed=4) != (of_accuracy, of_f1)


def test_the_interval_of_accuracy_is_that_of_a_binomial_share() -> None:
    right = ["a"] * 900 + ["b"] * 100
    of_accuracy, _ = intervals(confusion_of(right, ["a"] * 1000), seed=1, resamples=20_000)
    error = 1.96 * np.sqrt(0.9 * 0.1 / 1000)
    assert of_accuracy == pytest.approx((0.9 - error, 0.9 + error), abs=0.002)


def test_what_is_never_wrong_has_an_interval_without_width() -> None:
    assert intervals(confusion_of(RIGHT, RIGHT), seed=1) == ((1.0, 1.0), (1.0, 1.0))


def test_no_answers_have_no_reliability() -> None:
    with pytest.raises(ValueError, match="one of each for every row"):
        reliability(np.zeros(0), np.zeros(0, np.bool_))
