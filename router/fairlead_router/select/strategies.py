"""One strategy, one function: who is tried first with what probability, and who comes after.

Adding one: write the function, add it to ``STRATEGIES``, take its name off the compiler's list of what is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from fairlead_router.config.table import TargetEntry
from fairlead_router.select.draws import pick_by_weight
from fairlead_router.select.outlook import UNKNOWN, Outlook


class Ranking(msgspec.Struct, frozen=True):
    """What a strategy says of the candidates that are left."""

    order: tuple[TargetEntry, ...]
    probabilities: Mapping[str, float]
    """Probability of being first, by target name; those left out have none."""


Strategy = Callable[[Sequence[TargetEntry], Callable[[], float], Outlook], Ranking]
"""Candidates that are left (never empty), a function that draws a number in [0, 1), called at most once, and what is
expected of the candidates."""

EXPLORED = 0.05
"""Share of the requests that go first to models of which no latency is known, all of them together."""

_LAST = 1 << 30
NO_OUTLOOK: Outlook = {}


def weighted(targets: Sequence[TargetEntry], draw: Callable[[], float], outlook: Outlook = NO_OUTLOOK) -> Ranking:
    """First by weight; the others after it by ``fallbackOrder``, then by weight."""
    if len(targets) == 1:
        return Ranking(tuple(targets), {targets[0].name: 1.0})
    total = sum([target.weight for target in targets])
    if total == 0:
        return priority(targets, draw)
    first = pick_by_weight(targets, draw())
    rest = [target for target in targets if target is not first]
    if len(rest) > 1:
        rest.sort(key=_after_weighted)
    return Ranking((first, *rest), {target.name: target.weight / total for target in targets if target.weight})


def priority(targets: Sequence[TargetEntry], draw: Callable[[], float], outlook: Outlook = NO_OUTLOOK) -> Ranking:
    """Always in ``fallbackOrder``; targets without one come last, as listed."""
    ordered = sorted(targets, key=_order)
    return Ranking(tuple(ordered), {ordered[0].name: 1.0})


def least_cost(targets: Sequence[TargetEntry], draw: Callable[[], float], outlook: Outlook = NO_OUTLOOK) -> Ranking:
    """The cheapest first; among equally cheap ones by weight. Targets of weight 0 and unknown prices come last."""

    def expense(target: TargetEntry) -> tuple[bool, bool, int]:
        cost = outlook.get(target.name, UNKNOWN).cost_micro_usd
        return not target.weight, cost is None, cost or 0

    ordered = sorted(targets, key=lambda target: (expense(target), _after_weighted(target)))
    least = expense(ordered[0])
    cheapest = [target for target in targets if expense(target) == least]
    ranking = weighted(cheapest, draw)
    return Ranking((*ranking.order, *ordered[len(cheapest) :]), ranking.probabilities)


def lowest_latency(targets: Sequence[TargetEntry], draw: Callable[[], float], outlook: Outlook = NO_OUTLOOK) -> Ranking:
    """The fastest under the load of the moment first.

    A share of ``EXPLORED`` goes first to models of which nothing recent is known, evenly, or they would stay unknown.
    Targets of weight 0 come last and are not explored.
    """
    weighty = [target for target in targets if target.weight] or [*targets]
    known = sorted(
        [target for target in weighty if _latency(target, outlook) is not None],
        key=lambda target: (_latency(target, outlook), _after_weighted(target)),
    )
    unknown = [target for target in weighty if _latency(target, outlook) is None]
    rest = sorted([target for target in targets if target not in weighty], key=_after_weighted)
    if not known:
        ranking = weighted(weighty, draw)
        return Ranking((*ranking.order, *rest), ranking.probabilities)
    if not unknown:
        return Ranking((*known, *rest), {known[0].name: 1.0})
    probabilities = {known[0].name: 1.0 - EXPLORED} | {target.name: EXPLORED / len(unknown) for target in unknown}
    number = draw()
    if number >= EXPLORED:
        return Ranking((*known, *sorted(unknown, key=_after_weighted), *rest), probabilities)
    explored = unknown[min(int(number / EXPLORED * len(unknown)), len(unknown) - 1)]
    others = sorted([target for target in unknown if target is not explored], key=_after_weighted)
    return Ranking((explored, *known, *others, *rest), probabilities)


def _latency(target: TargetEntry, outlook: Outlook) -> float | None:
    return outlook.get(target.name, UNKNOWN).latency_seconds


def _after_weighted(target: TargetEntry) -> tuple[int, int, str]:
    return _order(target), -target.weight, target.name


def _order(target: TargetEntry) -> int:
    return _LAST if target.order is None else target.order


STRATEGIES: Mapping[str, Strategy] = {
    "Weighted": weighted,
    "Priority": priority,
    "LeastCost": least_cost,
    "LowestLatency": lowest_latency,
}

LOOKS_AHEAD = frozenset({"LeastCost", "LowestLatency"})
"""Those that need an outlook."""
