"""One strategy, one function: who is tried first with what probability, and who comes after.

Adding one: write the function, add it to ``STRATEGIES``, take its name off the compiler's list of what is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from fairlead_router.config.table import TargetEntry
from fairlead_router.select.draws import pick_by_weight


class Ranking(msgspec.Struct, frozen=True):
    """What a strategy says of the candidates that are left."""

    order: tuple[TargetEntry, ...]
    probabilities: Mapping[str, float]
    """Probability of being first, by target name; those left out have none."""


Strategy = Callable[[Sequence[TargetEntry], Callable[[], float]], Ranking]
"""Candidates that are left (never empty) and a function that draws a number in [0, 1), called at most once."""

_LAST = 1 << 30


def weighted(targets: Sequence[TargetEntry], draw: Callable[[], float]) -> Ranking:
    """First by weight; the others after it by ``fallbackOrder``, then by weight."""
    if len(targets) == 1:
        return Ranking(tuple(targets), {targets[0].name: 1.0})
    total = sum([target.weight for target in targets])
    if total == 0:
        after = sorted(targets, key=_after_weighted)
        return Ranking(tuple(after), {after[0].name: 1.0})
    first = pick_by_weight(targets, draw())
    rest = [target for target in targets if target is not first]
    if len(rest) > 1:
        rest.sort(key=_after_weighted)
    return Ranking((first, *rest), {target.name: target.weight / total for target in targets if target.weight})


def priority(targets: Sequence[TargetEntry], draw: Callable[[], float]) -> Ranking:
    """Always in ``fallbackOrder``; targets without one come last, as listed."""
    ordered = sorted(targets, key=_order)
    return Ranking(tuple(ordered), {ordered[0].name: 1.0})


def _after_weighted(target: TargetEntry) -> tuple[int, int, str]:
    return _order(target), -target.weight, target.name


def _order(target: TargetEntry) -> int:
    return _LAST if target.order is None else target.order


STRATEGIES: Mapping[str, Strategy] = {"Weighted": weighted, "Priority": priority}
