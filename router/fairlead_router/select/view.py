"""The part of shared state that a selection may read. Gathered before it, so that selecting stays pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from fairlead_router.select.statistics import NOTHING_MEASURED, Statistics


class BreakerState(StrEnum):
    """States of a circuit breaker (Nygard, Release It!)."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


@dataclass(frozen=True, slots=True)
class BreakerView:
    """One breaker as it stands now."""

    state: BreakerState
    opens_again_in_seconds: float = 0.0
    """Until it lets a probe through; zero unless open."""


CLOSED = BreakerView(BreakerState.CLOSED)
HALF_OPEN = BreakerView(BreakerState.HALF_OPEN)


class Breakers(Protocol):
    """Breakers by (model key, endpoint name)."""

    def view(self, model: str, endpoint: str, now: float) -> BreakerView:
        """The state of one breaker; one never heard of is closed."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedBreakers:
    """Breaker states by ``model@endpoint``, as a record or a test states them; all others are closed."""

    states: Mapping[str, BreakerView] = field(default_factory=dict)

    def view(self, model: str, endpoint: str, now: float) -> BreakerView:
        """See :class:`Breakers`."""
        return self.states.get(f"{model}@{endpoint}", CLOSED)


class Health(Protocol):
    """What active checks found, by provider (``namespace/name``) and endpoint name."""

    @property
    def all_healthy(self) -> bool:
        """Nobody is unhealthy: nobody need be asked for."""
        ...

    def healthy(self, provider: str, endpoint: str) -> bool:
        """Whether requests may go there; one that is not checked is healthy."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedHealth:
    """Health as a record or a test states it: these are unhealthy, all others are not."""

    unhealthy: frozenset[tuple[str, str]] = frozenset()

    @property
    def all_healthy(self) -> bool:
        """See :class:`Health`."""
        return not self.unhealthy

    def healthy(self, provider: str, endpoint: str) -> bool:
        """See :class:`Health`."""
        return (provider, endpoint) not in self.unhealthy


ALL_HEALTHY = RecordedHealth()


class StateView(msgspec.Struct, frozen=True):
    """What a selection may know of shared state."""

    breakers: Breakers
    pinned_model: str | None = None
    """The model that affinity holds this request's unit on, if any."""
    health: Health = ALL_HEALTHY
    statistics: Statistics = NOTHING_MEASURED
    unix_seconds: float = 0.0
    """The time by which prices hold."""
