"""Figures of merit, from right and given labels and from confidences. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 15
"""Of the expected calibration error, as Guo et al. 2017 (arXiv 1706.04599) have it."""
RESAMPLES = 2000
INTERVAL_PERCENT = 95.0


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each label was given for each."""

    labels: tuple[str, ...]
    """Those that are right or given at least once, in alphabetical order unless an order was asked for."""
    counts: NDArray[np.int64]
    """labels x labels: right ones in rows, given ones in columns."""

    @property
    def n(self) -> int:
        """Rows counted."""
        return int(self.counts.sum())


class ClassScores(NamedTuple):
    """Of one label; 0 where nothing can be divided by, as scikit-learn has it."""

    f1: float
    precision: float
    recall: float
    n: int
    """Rows of which it is the right label."""


class Interval(NamedTuple):
    """Between which a figure lies, by the bootstrap."""

    low: float
    high: float


class Bin(NamedTuple):
    """Answers of about the same confidence."""

    confidence: float
    """Their mean one."""
    accuracy: float
    n: int


def confusion_of(right: Sequence[str], given: Sequence[str], order: Sequence[str] = ()) -> Confusion:
    """Count pairs. ``order``: labels that stand first, if they occur. Raises ``ValueError`` for no rows or unequal lengths."""
    if not right or len(right) != len(given):
        raise ValueError(f"{len(right)} right labels and {len(given)} given ones; give one of each for every row")
    found = {*right, *given}
    labels = (*(label for label in order if label in found), *sorted(found - {*order}))
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, ([places[label] for label in right], [places[label] for label in given]), 1)
    return Confusion(labels, counts)


def accuracy(confusion: Confusion) -> float:
    """Share of rows whose given label is the right one."""
    return float(_accuracies(confusion.counts))


def macro_f1(confusion: Confusion) -> float:
    """Mean of F1 over the labels that are right or given at least once; scikit-learn's ``average="macro"``."""
    return float(_macro_f1s(confusion.counts))


def class_scores(confusion: Confusion) -> dict[str, ClassScores]:
    """By label."""
    counts = confusion.counts
    hits, right, given = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    f1, precision, recall = _share(2 * hits, right + given), _share(hits, given), _share(hits, right)
    return {
        label: ClassScores(float(f1[place]), float(precision[place]), float(recall[place]), int(right[place]))
        for place, label in enumerate(confusion.labels)
    }


def intervals(confusion: Confusion, *, seed: int, resamples: int = RESAMPLES) -> tuple[Interval, Interval]:
    """Bootstrap intervals (percentiles, 95 %) of accuracy and macro-F1.

    Rows drawn with replacement fall on the cells of the confusion as a multinomial draw does, so cells are drawn and not rows.
    """
    size = len(confusion.labels)
    shares = confusion.counts.reshape(-1) / confusion.n
    drawn = np.random.default_rng(seed).multinomial(confusion.n, shares, resamples).reshape(resamples, size, size)
    return _interval(_accuracies(drawn)), _interval(_macro_f1s(drawn))


def reliability(confidences: Floats, hits: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """Bins of equal mass, least confident first; fewer where there are fewer rows.

    Rows of the same confidence cannot be told apart and count with the mean of their hits, so their order does not matter.
    """
    if not len(confidences) or len(confidences) != len(hits):
        raise ValueError(f"{len(confidences)} confidences and {len(hits)} hits; give one of each for every row")
    _, same, sizes = np.unique(confidences, return_inverse=True, return_counts=True)
    shared = (np.bincount(same, weights=hits) / sizes)[same]
    order = np.argsort(confidences, kind="stable")
    return [
        Bin(float(confidences[part].mean()), float(shared[part].mean()), len(part))
        for part in np.array_split(order, min(bins, len(order)))
    ]


def expected_calibration_error(confidences: Floats, hits: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy over 15 bins of equal mass; 0 is perfect.

    Bins of equal width would hold few rows but in the last two, where confidences of a good classifier lie.
    """
    found = reliability(confidences, hits, bins)
    return sum(abs(each.confidence - each.accuracy) * each.n for each in found) / len(confidences)


def brier(confidences: Floats, hits: NDArray[np.bool_]) -> float:
    """Mean squared distance of the confidence in the label that was given from 1 where it is right and from 0 where not."""
    return float(((confidences - hits) ** 2).mean())


def _accuracies(counts: NDArray[np.int64]) -> Floats:
    result: Floats = np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))
    return result


def _macro_f1s(counts: NDArray[np.int64]) -> Floats:
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    either = counts.sum(axis=-1) + counts.sum(axis=-2)
    result: Floats = _share(2 * hits, either).sum(axis=-1) / (either > 0).sum(axis=-1)
    return result


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _interval(values: Floats) -> Interval:
    outside = (100 - INTERVAL_PERCENT) / 2
    low, high = np.percentile(values, (outside, 100 - outside))
    return Interval(float(low), float(high))
