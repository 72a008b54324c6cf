"""Reads shared state for one decision and notes what was read: a record holds all that a replay needs, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_contract.decision import StateRead
from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.select.statistics import ReadStatistics
from fairlead_router.select.view import AFFINITY, BREAKER, HEALTH, UNIX_SECONDS, BreakerState, BreakerView, StateView

_DECIMALS = 3


class Reader:
    """The only way from a decision to its :class:`~fairlead_router.select.view.StateView`."""

    __slots__ = ("_breakers", "_health", "_noted", "_statistics", "_unix", "_view", "now", "state")

    def __init__(self, view: StateView, now: float) -> None:
        self.state: list[StateRead] = []
        """What was read, in the order of reading. Closed breakers and healthy endpoints are not noted: all others are."""
        self.now = now
        self._view = view
        self._breakers = view.breakers
        self._health = None if view.health.all_healthy else view.health
        self._noted: set[str] | None = None
        self._statistics: ReadStatistics | None = None
        self._unix: float | None = None

    @property
    def statistics(self) -> ReadStatistics:
        """What was measured."""
        if self._statistics is None:
            self._statistics = ReadStatistics(self._view.statistics, self.state)
        return self._statistics

    @property
    def unix_seconds(self) -> float:
        """The time by which prices hold."""
        if self._unix is None:
            self._unix = self._view.unix_seconds
            self.note(UNIX_SECONDS, repr(self._unix))
        return self._unix

    @property
    def pinned_model(self) -> str | None:
        """The model that affinity holds this request on."""
        if self._view.pinned_model is not None:
            self.note(AFFINITY, self._view.pinned_model)
        return self._view.pinned_model

    def breaker(self, entry: ModelEntry, endpoint: str) -> BreakerView:
        """The breaker of one model at one endpoint."""
        found = self._breakers.view(entry.key, endpoint, self.now)
        if found.state is BreakerState.CLOSED:
            return found
        if found.state is BreakerState.OPEN:
            # Decided on is what the record says, or a replay could find another breaker to open again sooner.
            found = BreakerView(found.state, round(found.opens_again_in_seconds, _DECIMALS))
        self.note(f"{BREAKER}{entry.key}@{endpoint}", found.in_words())
        return found

    def healthy(self, entry: ModelEntry, endpoint: str) -> bool:
        """What active checks of an endpoint found."""
        if self._health is None:
            return True
        provider = entry.provider.fragment.key
        if self._health.healthy(provider, endpoint):
            return True
        self.note(f"{HEALTH}{provider}@{endpoint}", "Unhealthy")
        return False

    def usable(self, entry: ModelEntry, allowed: Sequence[EndpointEntry]) -> list[EndpointEntry]:
        """Of ``allowed``, those that would be called now; all of them if none would."""
        found = [
            each
            for each in allowed
            if self.breaker(entry, each.name).state is not BreakerState.OPEN and self.healthy(entry, each.name)
        ]
        return found or [*allowed]

    def note(self, key: str, value: str) -> None:
        """Say in the record what was found, once."""
        if self._noted is None:
            self._noted = set()
        if key not in self._noted:
            self._noted.add(key)
            self.state.append(StateRead(key=key, value=value))
