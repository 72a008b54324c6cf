"""What statuses show of endpoints: bad news at once, good news once it lasts, numbers now and then.

Routers' words change with every request. Written as they come they would be the busiest objects of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead_crds.kinds.model_provider import EndpointState
from fairlead_operator.status.endpoints import (
    BREAKER_RANK,
    STATE_RANK,
    UNKNOWN_HEALTH,
    EndpointHealth,
    Endpoints,
    Observed,
    rounded,
)

NUMBERS_SECONDS = 30.0
"""Least time between two writes for the sake of numbers, for one provider."""

CALM_SECONDS = 10.0
"""How long an endpoint has to fare better before it is said. A breaker that probes fares better for a moment each time."""

IDLE_SECONDS = 300.0
"""The same for one that nobody calls any more: healthy becomes unknown."""

_SHARE = 0.2
_LEAST_MILLISECONDS, _LEAST_ERROR_POINTS, _LEAST_SCORE_POINTS = 5, 1.0, 5


@dataclass(slots=True)
class _Shown:
    endpoints: dict[str, EndpointHealth] = field(default_factory=dict)
    at: float = 0.0
    better_since: dict[str, float] = field(default_factory=dict)


class EndpointBoard:
    """Times are in seconds of a clock that never goes back."""

    def __init__(
        self,
        numbers_seconds: float = NUMBERS_SECONDS,
        calm_seconds: float = CALM_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._numbers_seconds = numbers_seconds
        self._calm_seconds = calm_seconds
        self._idle_seconds = idle_seconds
        self._shown: dict[str, _Shown] = {}

    def observed(self) -> Observed:
        """What is shown now. It does not change any more."""
        return Observed({provider: dict(shown.endpoints) for provider, shown in self._shown.items()})

    def take(self, heard: Mapping[str, Endpoints] | None, now: float) -> bool:
        """What routers say, by provider; ``None``: no router answers. Returns whether anything is shown differently."""
        if heard is None:
            changed = bool(self._shown)
            self._shown.clear()
            return changed
        changed = False
        for provider in {*self._shown, *heard}:
            shown = self._shown.setdefault(provider, _Shown())
            changed |= self._take(shown, heard.get(provider, {}), now)
            if not shown.endpoints:
                del self._shown[provider]
        return changed

    def _take(self, shown: _Shown, heard: Endpoints, now: float) -> bool:
        wanted: dict[str, EndpointHealth] = {}
        urgent = False
        for name in shown.endpoints.keys() | heard.keys():
            old, new = shown.endpoints.get(name, UNKNOWN_HEALTH), rounded(heard.get(name, UNKNOWN_HEALTH))
            if self._holds(shown, name, old, new, now):
                wanted[name] = old
                continue
            urgent |= _severity(old) != _severity(new)
            if new != UNKNOWN_HEALTH:  # what is not shown is unknown anyway, and would never be forgotten
                wanted[name] = new
        if not urgent and (now - shown.at < self._numbers_seconds or not _apart(shown.endpoints, wanted)):
            return False
        shown.at = now
        changed = shown.endpoints != wanted
        shown.endpoints = wanted
        return changed

    def _holds(self, shown: _Shown, name: str, old: EndpointHealth, new: EndpointHealth, now: float) -> bool:
        """Whether ``new`` is better, but not for long enough yet."""
        if _severity(new) >= _severity(old):
            shown.better_since.pop(name, None)
            return False
        since = shown.better_since.setdefault(name, now)
        idle = new.state is EndpointState.UNKNOWN and old.state is EndpointState.HEALTHY
        if now - since < (self._idle_seconds if idle else self._calm_seconds):
            return True
        del shown.better_since[name]
        return False


def _severity(health: EndpointHealth) -> tuple[int, int, bool]:
    return STATE_RANK[health.state], BREAKER_RANK[health.breaker], health.check_error is not None


def _apart(shown: Endpoints, wanted: Endpoints) -> bool:
    """Whether somebody who reads the numbers would conclude something else."""
    return any(_differs(shown[name], each) for name, each in wanted.items())


def _differs(old: EndpointHealth, new: EndpointHealth) -> bool:
    return (
        _far(old.latency_p50_milliseconds, new.latency_p50_milliseconds, _LEAST_MILLISECONDS)
        or _far(old.error_percent, new.error_percent, _LEAST_ERROR_POINTS)
        or abs((old.score_percent or 0) - (new.score_percent or 0)) >= _LEAST_SCORE_POINTS
        or old.check_error != new.check_error
    )


def _far(old: float | None, new: float | None, least: float) -> bool:
    """A number that is not known any more is no news: nobody called lately."""
    if new is None:
        return False
    return old is None or abs(new - old) >= max(least, _SHARE * old)
