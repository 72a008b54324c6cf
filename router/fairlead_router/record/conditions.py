"""How each endpoint of each provider fares, in the words of ``status.endpoints`` of a ModelProvider."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from statistics import median

import msgspec

from fairlead_router.config.table import EndpointEntry, ProviderEntry, Table
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.health import Found
from fairlead_router.record.health import health_score
from fairlead_router.select.view import BreakerState

_DEGRADED_PERCENT = 5.0
"""Share of failed calls from which on an endpoint is Degraded, though no breaker is open."""

_WORST_FIRST = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)


class EndpointState(StrEnum):
    """As in the API."""

    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class EndpointCondition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One endpoint with all its models, as this router sees it."""

    provider: str
    name: str
    state: EndpointState
    score_percent: int
    breaker: BreakerState
    """The worst of its models' breakers."""
    calls: int
    """In the breakers' windows: what ``error_percent`` is a share of."""
    latency_p50_milliseconds: int | None = None
    """To the ends of answers: the middle one of its models' medians."""
    error_percent: float | None = None
    """Of ``calls``; ``None``: there were none."""
    check: Found | None = None
    """What active checks found."""


def endpoint_conditions(table: Table, dispatcher: Dispatcher, now: float) -> Iterator[EndpointCondition]:
    """All endpoints that ``table`` declares, by provider and name; ``now`` in monotonic seconds."""
    for key, provider in sorted(table.providers.items()):
        for endpoint in provider.endpoints:
            yield _condition(key, provider, endpoint, dispatcher, now)


def _condition(
    key: str, provider: ProviderEntry, endpoint: EndpointEntry, dispatcher: Dispatcher, now: float
) -> EndpointCondition:
    states, medians = [BreakerState.CLOSED], []
    successes = failures = 0
    for model in provider.fragment.models:
        model_key = f"{key}/{model.name}"
        states.append(dispatcher.breakers.view(model_key, endpoint.name, now).state)
        breaker = dispatcher.breakers.known(model_key, endpoint.name)
        good, bad = (0, 0) if breaker is None else breaker.window.latest(now)
        successes, failures = successes + good, failures + bad
        seconds = dispatcher.statistics.median_seconds(model_key, endpoint.name)
        if seconds is not None:
            medians.append(seconds)
    worst = next(state for state in _WORST_FIRST if state in states)
    total = successes + failures
    error_percent = round(100 * failures / total, 2) if total else None
    found = dispatcher.health.found(key, endpoint.name)
    healthy = dispatcher.health.healthy(key, endpoint.name)
    return EndpointCondition(
        provider=key,
        name=endpoint.name,
        state=_state(worst, error_percent, found, healthy=healthy),
        score_percent=round(100 * health_score(worst, successes, failures)) if healthy else 0,
        breaker=worst,
        calls=total,
        latency_p50_milliseconds=round(1000 * median(medians)) if medians else None,
        error_percent=error_percent,
        check=found,
    )


def _state(breaker: BreakerState, error_percent: float | None, found: Found | None, *, healthy: bool) -> EndpointState:
    if not healthy or breaker is BreakerState.OPEN:
        return EndpointState.UNHEALTHY
    if breaker is BreakerState.HALF_OPEN or (error_percent is not None and error_percent >= _DEGRADED_PERCENT):
        return EndpointState.DEGRADED
    return EndpointState.UNKNOWN if error_percent is None and found is None else EndpointState.HEALTHY
