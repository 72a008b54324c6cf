"""The part of shared state that a selection may read. Gathered before it, so that selecting stays pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from fairlead_contract.decision import StateRead
from fairlead_router.select.statistics import NOTHING_MEASURED, RecordedStatistics, Statistics

BREAKER, HEALTH, AFFINITY, UNIX_SECONDS = "breaker:", "health:", "affinity", "unix_seconds"
"""Keys, or their beginnings, under which a record holds what was read."""


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

    def in_words(self) -> str:
        """As a record states it."""
        return (
            f"{self.state.value} {self.opens_again_in_seconds:.3f}s"
            if self.opens_again_in_seconds
            else self.state.value
        )

    @classmethod
    def of(cls, words: str) -> BreakerView:
        """What :meth:`in_words` stated."""
        state, _, seconds = words.partition(" ")
        return cls(BreakerState(state), float(seconds.removesuffix("s") or 0))


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

    @classmethod
    def of(cls, reads: Iterable[StateRead]) -> StateView:
        """What a decision read, from the ``state`` of its record: select again with it, and the same comes out."""
        found = {read.key: read.value for read in reads}
        breakers = {
            key.removeprefix(BREAKER): BreakerView.of(value) for key, value in found.items() if key.startswith(BREAKER)
        }
        unhealthy = [key.removeprefix(HEALTH).rpartition("@") for key in found if key.startswith(HEALTH)]
        return cls(
            RecordedBreakers(breakers),
            found.get(AFFINITY),
            RecordedHealth(frozenset((provider, endpoint) for provider, _, endpoint in unhealthy)),
            RecordedStatistics.of(reads),
            float(found.get(UNIX_SECONDS, 0)),
        )
