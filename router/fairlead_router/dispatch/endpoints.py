"""Which address of a provider an attempt goes to.

First by role, then drawn with shares of ``weight / (outstanding + 1)``: Envoy's weighted least-request balancing with its
default bias of 1, over all endpoints, which are few. Under the strategy LowestLatency a share is also divided by the
latency that is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fairlead_contract.decision import StateRead
from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.job import Job
from fairlead_router.select.draws import pick_by_share
from fairlead_router.select.statistics import Statistics
from fairlead_router.select.view import BreakerState, Health

_FASTEST_SECONDS = 0.000001


class Choices(Protocol):
    """What a choice of endpoints depends on."""

    @property
    def breakers(self) -> BreakerRegistry: ...

    @property
    def health(self) -> Health: ...

    @property
    def statistics(self) -> Statistics: ...


def take_endpoint(
    job: Job,
    entry: ModelEntry,
    tried: set[str],
    known: Choices,
    rules: BreakerRules,
    *,
    now: float,
    draw: Callable[[], float],
) -> EndpointEntry | None:
    """The next endpoint whose breaker lets this request through, and a place in that breaker if it is half open.

    ``None``: there is none; of an endpoint that is half open, all probes may be out. In panic every breaker is passed.
    ``draw`` is called for each choice between several; what else the choice depended on is noted in ``job.state``.
    """
    allowed = job.selection.hard.endpoints_allowed(entry)
    while (endpoint := _choose(job, entry, allowed, tried, known, now, draw)) is not None:
        if known.breakers.of(entry.key, endpoint.name).acquire(now, rules) or job.panic:
            return endpoint
        allowed = tuple(each for each in allowed if each is not endpoint)
    return None


def _choose(
    job: Job,
    entry: ModelEntry,
    allowed: Sequence[EndpointEntry],
    tried: set[str],
    known: Choices,
    now: float,
    draw: Callable[[], float],
) -> EndpointEntry | None:
    """First untried ones that are neither broken nor unhealthy, first those that are no backup."""
    provider = entry.provider.fragment.key
    pool: Sequence[EndpointEntry]
    alive = [
        endpoint
        for endpoint in allowed
        if known.breakers.view(entry.key, endpoint.name, now).state is not BreakerState.OPEN
        and known.health.healthy(provider, endpoint.name)
    ]
    pool = alive or (allowed if job.panic else [])
    pool = [endpoint for endpoint in pool if endpoint.name not in tried] or pool
    pool = [endpoint for endpoint in pool if not endpoint.backup] or pool
    if len(pool) < 2:
        return pool[0] if pool else None
    shares = _shares(job, entry, pool, known.statistics, now)
    stated = " ".join([f"{endpoint.name}={share!r}" for endpoint, share in zip(pool, shares, strict=True)])
    job.state.append(StateRead(key=f"shares:{len(job.draws) + 1}:{entry.key}", value=stated))
    return pool[pick_by_share(shares, draw())]


def _shares(
    job: Job, entry: ModelEntry, pool: Sequence[EndpointEntry], statistics: Statistics, now: float
) -> list[float]:
    measured = [statistics.endpoint(entry.key, endpoint.name, now) for endpoint in pool]
    shares = [round(endpoint.weight / (each.outstanding + 1), 6) for endpoint, each in zip(pool, measured, strict=True)]
    if job.selection.strategy != "LowestLatency":
        return shares
    seconds = [each.first_byte_seconds if job.request.stream else each.total_seconds for each in measured]
    # One that was never measured is taken for as fast as the fastest, so that it will be.
    fastest = max(min([each for each in seconds if each is not None], default=1.0), _FASTEST_SECONDS)
    return [
        round(share * fastest / (fastest if each is None else max(each, _FASTEST_SECONDS)), 6)
        for share, each in zip(shares, seconds, strict=True)
    ]
