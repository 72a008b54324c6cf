"""All figures of one classifier on labelled rows, as ``fairlead eval classifier`` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from fairlead_contract.decision import Classification, ClassificationPath
from fairlead_learning.evaluate.metrics import (
    ClassScores,
    Confusion,
    Interval,
    accuracy,
    brier,
    class_scores,
    confusion_of,
    expected_calibration_error,
    intervals,
    macro_f1,
)
from fairlead_learning.evaluate.served import HYBRID, LEARNED_ALONE, RULES_ALONE, Answer, Given, halves
from fairlead_learning.train.rows import Row

_DIGITS = 4


class ClassFigures(msgspec.Struct, frozen=True):
    """Of one label."""

    f1: float
    precision: float
    recall: float
    n: int


class Intervals(msgspec.Struct, frozen=True):
    """95 %, by a seeded bootstrap over the rows."""

    accuracy: tuple[float, float]
    macro_f1: tuple[float, float]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How well labels were given, and how honestly."""

    accuracy: float
    macro_f1: float
    ece: float | None
    """See ``metrics.expected_calibration_error``; ``None`` of labels that were given without confidences."""
    brier: float | None
    """See ``metrics.brier``; likewise."""
    intervals: Intervals


class PathFigures(msgspec.Struct, frozen=True):
    """Of the rows on which one part of the classifier decided."""

    n: int
    accuracy: float


class ConformalFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of the sets of categories that cannot be excluded."""

    error_percent: float
    """That was asked for."""
    coverage: float
    """Share of rows whose right category is in its set."""
    mean_set_size: float
    certain_share: float
    """Share of rows whose set has one category."""
    accuracy_when_certain: float | None
    """Of those; ``None`` without any."""


class Evaluation(Figures, frozen=True, kw_only=True):
    """Of the hybrid, as served; its parts alone beside it."""

    bundle: str
    """Digest."""
    n: int
    per_class: dict[str, ClassFigures]
    confusion: dict[str, dict[str, int]]
    """How often each label was given, by the right label."""
    paths: dict[str, PathFigures]
    rules_sure: PathFigures | None
    """Of the rows that the rules decided without asking the learned head; ``None`` without any."""
    conformal: ConformalFigures
    learned_alone: Figures
    rules_alone: Figures
    per_source: dict[str, PathFigures]
    """Of rows that name their source."""


def evaluate(
    rows: Sequence[Row],
    found: Sequence[Answer],
    *,
    labels: Sequence[str],
    digest: str,
    error_percent: float,
    seed: int = 1,
) -> Evaluation:
    """Figures of ``found``, which are the answers to ``rows``, in the same order.

    Args:
        labels: in the order of the learned probabilities.
        error_percent: that the conformal sets were made with.
        seed: of the bootstrap.
    """
    right = [row.label for row in rows]
    served = [answer.hybrid for answer in found]
    confusion = confusion_of(right, [each.category for each in served], labels)
    parts = halves(found, labels)
    return Evaluation(
        **msgspec.structs.asdict(_of(right, parts[HYBRID], seed)),
        bundle=digest,
        n=len(rows),
        per_class={label: _rounded(scores) for label, scores in class_scores(confusion).items()},
        confusion=as_table(confusion),
        paths=_grouped(ClassificationPath, (each.path for each in served), right, served),
        rules_sure=_grouped(("sure",), ("" if each.probabilities else "sure" for each in served), right, served).get(
            "sure"
        ),
        conformal=_conformal(right, served, error_percent),
        learned_alone=_of(right, parts[LEARNED_ALONE], seed),
        rules_alone=_of(right, parts[RULES_ALONE], seed),
        per_source=_grouped(sorted({row.source for row in rows} - {""}), (row.source for row in rows), right, served),
    )


def figures(
    right: Sequence[str], given: Sequence[str], confidences: Sequence[float] | None, *, seed: int = 1
) -> Figures:
    """Of labels given with confidences, or without."""
    confusion = confusion_of(right, given)
    of_accuracy, of_f1 = intervals(confusion, seed=seed)
    ece = squared = None
    if confidences is not None:
        sure = np.asarray(confidences, np.float64)
        hits = np.array([one == other for one, other in zip(right, given, strict=True)])
        ece = round(expected_calibration_error(sure, hits), _DIGITS)
        squared = round(brier(sure, hits), _DIGITS)
    return Figures(
        accuracy=round(accuracy(confusion), _DIGITS),
        macro_f1=round(macro_f1(confusion), _DIGITS),
        ece=ece,
        brier=squared,
        intervals=Intervals(_pair(of_accuracy), _pair(of_f1)),
    )


def as_table(confusion: Confusion) -> dict[str, dict[str, int]]:
    """Given labels by right label, zeros included."""
    return {
        label: dict(zip(confusion.labels, row.tolist(), strict=True))
        for label, row in zip(confusion.labels, confusion.counts, strict=True)
    }


def _of(right: Sequence[str], given: Given, seed: int) -> Figures:
    return figures(right, given.labels, given.confidences, seed=seed)


def _grouped(
    names: Iterable[str], belongs: Iterable[str], right: Sequence[str], said: Sequence[Classification]
) -> dict[str, PathFigures]:
    hits: Mapping[str, list[bool]] = {str(name): [] for name in names}
    for name, label, each in zip(belongs, right, said, strict=True):
        if name:
            hits[name].append(each.category == label)
    return {name: PathFigures(len(of), round(sum(of) / len(of), _DIGITS)) for name, of in hits.items() if of}


def _conformal(right: Sequence[str], said: Sequence[Classification], error_percent: float) -> ConformalFigures:
    covered = [label in each.conformal_set for label, each in zip(right, said, strict=True)]
    certain = [label == each.category for label, each in zip(right, said, strict=True) if each.certain]
    return ConformalFigures(
        error_percent=error_percent,
        coverage=round(sum(covered) / len(said), _DIGITS),
        mean_set_size=round(sum(len(each.conformal_set) for each in said) / len(said), _DIGITS),
        certain_share=round(len(certain) / len(said), _DIGITS),
        accuracy_when_certain=round(sum(certain) / len(certain), _DIGITS) if certain else None,
    )


def _rounded(scores: ClassScores) -> ClassFigures:
    f1, precision, recall, n = scores
    return ClassFigures(round(f1, _DIGITS), round(precision, _DIGITS), round(recall, _DIGITS), n)


def _pair(interval: Interval) -> tuple[float, float]:
    return round(interval.low, _DIGITS), round(interval.high, _DIGITS)
