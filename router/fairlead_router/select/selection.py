"""Selecting: constraints, then health and breakers, then strategy, then canary, then affinity.

``select`` is a pure function: the same policy, facts, view and draws give the same selection, in the pipeline, in an
explanation and in a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from fairlead_contract.decision import CanaryAssignment, Candidate, Draw, Facts, Removal, RemovedBy, StateRead
from fairlead_contract.fragments import Canary, Cause, Unit, WorkspaceFragment
from fairlead_router.config.table import ModelEntry, PolicyEntry, TargetEntry
from fairlead_router.select.considered import Considered, apply_breakers, apply_limits
from fairlead_router.select.constraints import HardConstraints, removal, stated_by
from fairlead_router.select.draws import DrawSource
from fairlead_router.select.outlook import Expected, Outlook, expect_costs, expect_latencies
from fairlead_router.select.reader import Reader
from fairlead_router.select.strategies import LOOKS_AHEAD, NO_OUTLOOK, STRATEGIES, Ranking
from fairlead_router.select.view import StateView

_UNITS: tuple[Unit, ...] = ("User", "Session", "Request")


class PlannedFallback(msgspec.Struct, frozen=True):
    """A model to try when what came before failed for one of ``causes``."""

    causes: frozenset[Cause]
    entry: ModelEntry


class Selection(msgspec.Struct, frozen=True):
    """Whom to try in which order, and everything that led to it."""

    plan: tuple[ModelEntry, ...]
    fallbacks: tuple[PlannedFallback, ...]
    candidates: tuple[Candidate, ...]
    hard: HardConstraints
    strategy: str
    propensity: float | None = None
    canary: CanaryAssignment | None = None
    affinity: str | None = None
    draws: tuple[Draw, ...] = ()
    state: tuple[StateRead, ...] = ()
    panic: bool = False


def unit_value(unit: Unit, facts: Facts, decision_id: str) -> tuple[Unit, str]:
    """The value that ``unit`` has for this request, or that of the next unit that is known: user, session, request."""
    if unit == "Workspace":
        return unit, facts.workspace
    for candidate in _UNITS[_UNITS.index(unit) :]:
        value = {"User": facts.user_hash, "Session": facts.session_hash, "Request": decision_id}[candidate]
        if value is not None:
            return candidate, value
    return "Request", decision_id


def select(
    policy: PolicyEntry,
    facts: Facts,
    workspace: WorkspaceFragment | None,
    view: StateView,
    draws: DrawSource,
    *,
    decision_id: str,
    now: float,
) -> Selection:
    """Select for a request that ``policy`` decides. The plan is empty when nothing it may choose is left."""
    fragment = policy.fragment
    hard = HardConstraints.of((fragment.constraints, stated_by(facts)), workspace)
    targets, canary, fallbacks = _consider(policy, facts, hard)
    everyone = [*targets, *([] if canary is None else [canary]), *fallbacks]
    reader = Reader(view, now)
    apply_limits(everyone, facts, hard, reader)
    panic = apply_breakers(everyone, hard, reader)
    drawn: list[Draw] = []

    def draw(purpose: str, unit: Unit) -> float:
        known_unit, value = unit_value(unit, facts, decision_id)
        number = draws.draw(purpose, fragment.uid, known_unit, value)
        drawn.append(number)
        return number.value

    left = [considered for considered in targets if considered.removed is None]
    ranking = Ranking((), {})
    if left:
        ranking = STRATEGIES[fragment.strategy](
            [considered.target for considered in left],
            lambda: draw("strategy", "Request"),
            _expect(left, fragment.strategy, facts, hard, reader) if fragment.strategy in LOOKS_AHEAD else NO_OUTLOOK,
        )
    share, assigned = _draw_canary(canary, fragment.canary, draw, alone=not left)
    order = [*ranking.order]
    if assigned and canary is not None:
        order.insert(0, canary.target)
    for considered in left:
        considered.probability = (1 - share) * ranking.probabilities.get(considered.target.name, 0.0)
    if canary is not None:
        canary.probability = share

    pinned = None if fragment.affinity is None else _pinned(order, canary, reader.pinned_model)
    if pinned is not None:
        order = [pinned, *(target for target in order if target is not pinned)]
        for considered in everyone:
            considered.probability = 1.0 if considered.target is pinned else 0.0

    plan = _distinct([target.entry for target in order if target.entry is not None])
    return Selection(
        plan=plan,
        fallbacks=tuple(
            PlannedFallback(fallback.causes, fallback.target.entry)
            for fallback, considered in zip(policy.fallbacks, fallbacks, strict=True)
            if considered.removed is None and fallback.target.entry is not None
        ),
        candidates=tuple(considered.to_candidate() for considered in everyone),
        hard=hard,
        strategy=fragment.strategy,
        propensity=_propensity(everyone, plan),
        canary=None
        if canary is None or fragment.canary is None
        else CanaryAssignment(
            model=canary.target.key, weight_percent=fragment.canary.weight_percent, assigned=assigned and pinned is None
        ),
        affinity=None if pinned is None else pinned.key,
        draws=tuple(drawn),
        state=tuple(reader.state),
        panic=panic,
    )


def select_direct(
    entry: ModelEntry, facts: Facts, workspace: WorkspaceFragment | None, view: StateView, *, now: float
) -> Selection:
    """Select for a request that names a model: that one or none."""
    hard = HardConstraints.of((stated_by(facts),), workspace)
    target = TargetEntry("direct", entry.key, entry, 100, None, None)
    considered = Considered(target, "Direct", removal(target, facts, hard), 1.0)
    reader = Reader(view, now)
    apply_limits([considered], facts, hard, reader)
    panic = apply_breakers([considered], hard, reader)
    plan = (entry,) if considered.removed is None else ()
    return Selection(
        plan=plan,
        fallbacks=(),
        candidates=(considered.to_candidate(),),
        hard=hard,
        strategy="Direct",
        propensity=1.0 if plan else None,
        state=tuple(reader.state),
        panic=panic,
    )


def _consider(
    policy: PolicyEntry, facts: Facts, hard: HardConstraints
) -> tuple[list[Considered], Considered | None, list[Considered]]:
    """Targets, canary and fallbacks, held against the hard constraints."""
    targets = [Considered(target, "Target", _removal(target, facts, hard)) for target in policy.targets]
    canary, stated = policy.canary, policy.fragment.canary
    fallbacks = [
        Considered(
            fallback.target, "Fallback", removal(fallback.target, facts, hard), stands_in="Error" in fallback.causes
        )
        for fallback in policy.fallbacks
    ]
    return (
        targets,
        None
        if canary is None or stated is None
        else Considered(canary, "Canary", removal(canary, facts, hard), stands_in=stated.weight_percent > 0),
        fallbacks,
    )


def _draw_canary(
    canary: Considered | None, fragment: Canary | None, draw: Callable[[str, Unit], float], *, alone: bool
) -> tuple[float, bool]:
    """Its share of the requests (all of them if it stands ``alone``), and whether this one is among them."""
    if canary is None or fragment is None or canary.removed is not None:
        return 0.0, False
    share = fragment.weight_percent / 100
    if share and alone:
        share = 1.0
    return share, draw(f"canary:{fragment.spec_hash}", fragment.unit) < share


def _removal(target: TargetEntry, facts: Facts, hard: HardConstraints) -> Removal | None:
    found = removal(target, facts, hard)
    if found is None and target.weight == 0 and target.order is None:
        return Removal(by=RemovedBy.WEIGHT, message="its weight is 0 and it has no fallbackOrder")
    return found


def _expect(left: Sequence[Considered], strategy: str, facts: Facts, hard: HardConstraints, reader: Reader) -> Outlook:
    """What ``strategy`` needs to know of the candidates."""
    outlook: dict[str, Expected] = {}
    if strategy == "LeastCost":
        outlook = expect_costs([considered.target for considered in left], facts, reader)
    elif strategy == "LowestLatency":
        targets = [considered.target for considered in left]
        allowed = [() if target.entry is None else hard.endpoints_allowed(target.entry) for target in targets]
        outlook = expect_latencies(zip(targets, allowed, strict=True), facts, reader)
    for considered in left:
        considered.expected = outlook.get(considered.target.name)
    return outlook


def _pinned(order: list[TargetEntry], canary: Considered | None, model: str | None) -> TargetEntry | None:
    if model is None:
        return None
    for target in order:
        if target.key == model:
            return target
    if canary is not None and canary.removed is None and canary.probability and canary.target.key == model:
        return canary.target
    return None


def _propensity(everyone: Sequence[Considered], plan: tuple[ModelEntry, ...]) -> float | None:
    """The same model may stand in several places (a target that is also the canary): their probabilities add up."""
    if not plan:
        return None
    first = plan[0].key
    return sum(considered.probability for considered in everyone if considered.target.key == first)


def _distinct(entries: list[ModelEntry]) -> tuple[ModelEntry, ...]:
    return tuple({entry.key: entry for entry in entries}.values())
