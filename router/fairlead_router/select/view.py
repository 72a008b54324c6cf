"""The part of shared state that a selection may read. Gathered before it, so that selecting stays pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec


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


class StateView(msgspec.Struct, frozen=True):
    """What a selection may know of shared state."""

    breakers: Breakers
    pinned_model: str | None = None
    """The model that affinity holds this request's unit on, if any."""
