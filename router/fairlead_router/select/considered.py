"""Candidates while they are weighed, and who of them is taken out for what was measured of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_contract.decision import Candidate, Facts, Removal, RemovedBy
from fairlead_router.config.table import TargetEntry
from fairlead_router.select.constraints import HardConstraints
from fairlead_router.select.expectations import limited
from fairlead_router.select.outlook import Expected
from fairlead_router.select.reader import Reader
from fairlead_router.select.view import BreakerState


@dataclass(slots=True)
class Considered:
    """One candidate while it is weighed."""

    target: TargetEntry
    role: str
    removed: Removal | None
    probability: float = 0.0
    stands_in: bool = True
    """Whether it may be tried although nobody before it was: a fallback only if it is one for errors."""
    expected: Expected | None = None

    def to_candidate(self) -> Candidate:
        target = self.target
        return Candidate(
            name=target.name,
            model=target.key,
            role=self.role,
            weight=target.weight,
            probability=self.probability,
            predicted=None if self.expected is None else self.expected.to_prediction(),
            removed=self.removed,
        )


def apply_limits(everyone: Sequence[Considered], facts: Facts, hard: HardConstraints, reader: Reader) -> None:
    """Remove who costs too much, takes too long or fails too often."""
    if hard.limits is None:
        return
    for considered in everyone:
        entry = considered.target.entry
        if considered.removed is None and entry is not None:
            considered.removed = limited(entry, hard.endpoints_allowed(entry), facts, hard.limits, reader)


def apply_breakers(everyone: Sequence[Considered], hard: HardConstraints, reader: Reader) -> bool:
    """Remove who is broken or unhealthy; if that leaves nobody, put back the least bad and say so by returning true.

    Least bad is whose breaker lets a probe through soonest; before those that are unhealthy at all their endpoints.
    """
    waits: list[tuple[float, Considered]] = []
    available = False
    for considered in everyone:
        entry = considered.target.entry
        if considered.removed is not None or entry is None:
            continue
        shortest: float | None = None
        closed = False
        for endpoint in hard.endpoints_allowed(entry):
            breaker = reader.breaker(entry, endpoint.name)
            if breaker.state is BreakerState.OPEN:
                wait = breaker.opens_again_in_seconds
                shortest = wait if shortest is None else min(shortest, wait)
            elif not reader.healthy(entry, endpoint.name):
                shortest = math.inf if shortest is None else shortest
            else:
                closed = True
        if closed or shortest is None:
            available = available or considered.stands_in
            continue
        considered.removed = _broken(shortest)
        if considered.stands_in:
            waits.append((shortest, considered))
    if available or not waits:
        return False
    min(waits, key=lambda pair: pair[0])[1].removed = None
    return True


def _broken(seconds: float) -> Removal:
    if seconds == math.inf:
        return Removal(by=RemovedBy.HEALTH, message="health checks fail at every endpoint that it may be called at")
    return Removal(by=RemovedBy.CIRCUIT_BREAKER, message=f"its circuit breaker is open for {seconds:.1f} s more")
