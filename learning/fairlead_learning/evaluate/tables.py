"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_contract.generated import table
from fairlead_learning.evaluate.evaluation import Evaluation, Figures
from fairlead_learning.evaluate.flips import Flips
from fairlead_learning.evaluate.folds import SourceFigures


def methods_table(found: Mapping[str, Figures]) -> str:
    """A row for each method, with intervals."""
    return table(
        ("method", "accuracy", "macro-F1", "ECE", "Brier"),
        (
            (
                name,
                f"{each.accuracy:.3f} ({_range(each.intervals.accuracy)})",
                f"{each.macro_f1:.3f} ({_range(each.intervals.macro_f1)})",
                _or_dash(each.ece),
                _or_dash(each.brier),
            )
            for name, each in found.items()
        ),
    )


def classes_table(found: Evaluation) -> str:
    """A row for each category: how well it fares, and for what it is taken."""
    labels = list(found.per_class)
    return table(
        ("category", "F1", "precision", "recall", "n", *(f"as {label}" for label in labels)),
        (
            (
                label,
                f"{each.f1:.3f}",
                f"{each.precision:.3f}",
                f"{each.recall:.3f}",
                str(each.n),
                *(str(found.confusion[label][other]) for other in labels),
            )
            for label, each in found.per_class.items()
        ),
    )


def parts_table(found: Evaluation) -> str:
    """Who decided, how often, and how rightly; and what the conformal sets are worth."""
    sets = found.conformal
    rows = [(f"decided by: {name}", str(each.n), f"{each.accuracy:.3f}") for name, each in found.paths.items()]
    if found.rules_sure is not None:
        rows.append(("rules sure, nobody else asked", str(found.rules_sure.n), f"{found.rules_sure.accuracy:.3f}"))
    if sets.accuracy_when_certain is not None:
        certain = f"{sets.accuracy_when_certain:.3f}"
        rows.append(("conformal set of one category", str(round(sets.certain_share * found.n)), certain))
    said = (
        f"\nAt an error rate of {sets.error_percent:g} % the right category is in the conformal set of {sets.coverage:.1%} of "
        f"the prompts; sets have {sets.mean_set_size:.2f} categories on average.\n"
    )
    return table(("of the prompts", "n", "accuracy"), rows) + said


def sources_of_rows_table(found: Evaluation) -> str:
    """A row for each source of the rows, the worst first."""
    worst_first = sorted(found.per_source.items(), key=lambda item: (item[1].accuracy, item[0]))
    return table(
        ("source", "n", "accuracy"), ((name, str(each.n), f"{each.accuracy:.3f}") for name, each in worst_first)
    )


def flips_table(found: Mapping[str, Mapping[str, Flips]]) -> str:
    """A row for each change, a column for each method."""
    methods = list(next(iter(found.values())))
    return table(
        ("change", *methods),
        (
            (change, *(f"{by[name].flipped:.1%} ({by[name].accuracy:.3f})" for name in methods))
            for change, by in found.items()
        ),
    )


def sources_table(found: Mapping[str, SourceFigures]) -> str:
    """A row for each method, a column for each fold."""
    folds = list(next(iter(found.values())).folds)
    return table(
        ("method", "accuracy", "macro-F1", *(f"fold {fold}" for fold in folds)),
        (
            (
                name,
                f"{each.overall.accuracy:.3f} ({_range(each.overall.intervals.accuracy)})",
                f"{each.overall.macro_f1:.3f} ({_range(each.overall.intervals.macro_f1)})",
                *(f"{each.folds[fold]:.3f}" for fold in folds),
            )
            for name, each in found.items()
        ),
    )


def _range(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f}–{interval[1]:.3f}"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
