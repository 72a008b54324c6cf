"""Selecting: constraints, then breakers, then affinity, then canary, then strategy.

``select`` is a pure function: the same policy, facts, view and draws give the same selection, in the pipeline, in an
explanation and in a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from fairlead_contract.decision import CanaryAssignment, Candidate, Draw, Facts, Removal, RemovedBy, StateRead
from fairlead_contract.fragments import Canary, Cause, Constraints, Unit, WorkspaceFragment
from fairlead_router.config.table import ModelEntry, PolicyEntry, TargetEntry
from fairlead_router.select.constraints import HardConstraints, removal
from fairlead_router.select.draws import DrawSource
from fairlead_router.select.strategies import STRATEGIES, Ranking
from fairlead_router.select.view import BreakerState, StateView

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


@dataclass(slots=True)
class _Considered:
    target: TargetEntry
    role: str
    removed: Removal | None
    probability: float = 0.0
    stands_in: bool = True
    """Whether it may be tried although nobody before it was: a fallback only if it is one for errors."""

    def to_candidate(self) -> Candidate:
        target = self.target
        return Candidate(
            name=target.name,
            model=target.key,
            role=self.role,
            weight=target.weight,
            probability=self.probability,
            removed=self.removed,
        )


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
    hard = HardConstraints.of((fragment.constraints,), workspace)
    targets, canary, fallbacks = _consider(policy, facts, hard)
    everyone = [*targets, *([] if canary is None else [canary]), *fallbacks]
    state: list[StateRead] = []
    panic = _apply_breakers(everyone, view, hard, state, now)
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
            [considered.target for considered in left], lambda: draw("strategy", "Request")
        )
    share, assigned = _draw_canary(canary, fragment.canary, draw, alone=not left)
    order = [*ranking.order]
    if assigned and canary is not None:
        order.insert(0, canary.target)
    for considered in left:
        considered.probability = (1 - share) * ranking.probabilities.get(considered.target.name, 0.0)
    if canary is not None:
        canary.probability = share

    pinned = _pinned(order, canary, view.pinned_model)
    if fragment.affinity is not None and view.pinned_model is not None:
        state.append(StateRead(key="affinity", value=view.pinned_model))
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
        state=tuple(state),
        panic=panic,
    )


def select_direct(
    entry: ModelEntry, facts: Facts, workspace: WorkspaceFragment | None, view: StateView, *, now: float
) -> Selection:
    """Select for a request that names a model: that one or none."""
    hard = HardConstraints.of((Constraints(),), workspace)
    target = TargetEntry("direct", entry.key, entry, 100, None, None)
    considered = _Considered(target, "Direct", removal(target, facts, hard), 1.0)
    state: list[StateRead] = []
    panic = _apply_breakers([considered], view, hard, state, now)
    plan = (entry,) if considered.removed is None else ()
    return Selection(
        plan=plan,
        fallbacks=(),
        candidates=(considered.to_candidate(),),
        hard=hard,
        strategy="Direct",
        propensity=1.0 if plan else None,
        state=tuple(state),
        panic=panic,
    )


def _consider(
    policy: PolicyEntry, facts: Facts, hard: HardConstraints
) -> tuple[list[_Considered], _Considered | None, list[_Considered]]:
    """Targets, canary and fallbacks, held against the hard constraints."""
    targets = [_Considered(target, "Target", _removal(target, facts, hard)) for target in policy.targets]
    canary, stated = policy.canary, policy.fragment.canary
    fallbacks = [
        _Considered(
            fallback.target, "Fallback", removal(fallback.target, facts, hard), stands_in="Error" in fallback.causes
        )
        for fallback in policy.fallbacks
    ]
    return (
        targets,
        None
        if canary is None or stated is None
        else _Considered(canary, "Canary", removal(canary, facts, hard), stands_in=stated.weight_percent > 0),
        fallbacks,
    )


def _draw_canary(
    canary: _Considered | None, fragment: Canary | None, draw: Callable[[str, Unit], float], *, alone: bool
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


def _apply_breakers(
    everyone: Sequence[_Considered], view: StateView, hard: HardConstraints, state: list[StateRead], now: float
) -> bool:
    """Remove who is broken; if that leaves nobody, put back the least bad and say so by returning true.

    Least bad is whose breaker lets a probe through soonest.
    """
    waits: list[tuple[float, _Considered]] = []
    available = False
    for considered in everyone:
        entry = considered.target.entry
        if considered.removed is not None or entry is None:
            continue
        shortest: float | None = None
        closed = False
        for endpoint in hard.endpoints_allowed(entry):
            breaker = view.breakers.view(entry.key, endpoint.name, now)
            if breaker.state is not BreakerState.CLOSED:
                text = breaker.state.value
                if breaker.state is BreakerState.OPEN:
                    text = f"{text} {breaker.opens_again_in_seconds:.3f}s"
                state.append(StateRead(key=f"breaker:{entry.key}@{endpoint.name}", value=text))
            if breaker.state is BreakerState.OPEN:
                wait = breaker.opens_again_in_seconds
                shortest = wait if shortest is None else min(shortest, wait)
            else:
                closed = True
        if closed or shortest is None:
            available = available or considered.stands_in
            continue
        message = f"its circuit breaker is open for {shortest:.1f} s more"
        considered.removed = Removal(by=RemovedBy.CIRCUIT_BREAKER, message=message)
        if considered.stands_in:
            waits.append((shortest, considered))
    if available or not waits:
        return False
    min(waits, key=lambda pair: pair[0])[1].removed = None
    return True


def _pinned(order: list[TargetEntry], canary: _Considered | None, model: str | None) -> TargetEntry | None:
    if model is None:
        return None
    for target in order:
        if target.key == model:
            return target
    if canary is not None and canary.removed is None and canary.probability and canary.target.key == model:
        return canary.target
    return None


def _propensity(everyone: Sequence[_Considered], plan: tuple[ModelEntry, ...]) -> float | None:
    """The same model may stand in several places (a target that is also the canary): their probabilities add up."""
    if not plan:
        return None
    first = plan[0].key
    return sum(considered.probability for considered in everyone if considered.target.key == first)


def _distinct(entries: list[ModelEntry]) -> tuple[ModelEntry, ...]:
    return tuple({entry.key: entry for entry in entries}.values())
