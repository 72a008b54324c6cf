"""Which address of a provider an attempt goes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.job import Job
from fairlead_router.select.draws import pick_by_weight
from fairlead_router.select.view import BreakerState


def take_endpoint(
    job: Job,
    entry: ModelEntry,
    tried: set[str],
    breakers: BreakerRegistry,
    rules: BreakerRules,
    *,
    now: float,
    draw: Callable[[], float],
) -> EndpointEntry | None:
    """The next endpoint whose breaker lets this request through, and a place in that breaker if it is half open.

    ``None``: there is none; of an endpoint that is half open, all probes may be out. In panic every breaker is passed.
    """
    allowed = job.selection.hard.endpoints_allowed(entry)
    while (endpoint := _choose(job, entry, allowed, tried, breakers, now, draw)) is not None:
        if breakers.of(entry.key, endpoint.name).acquire(now, rules) or job.panic:
            return endpoint
        allowed = tuple(each for each in allowed if each is not endpoint)
    return None


def _choose(
    job: Job,
    entry: ModelEntry,
    allowed: Sequence[EndpointEntry],
    tried: set[str],
    breakers: BreakerRegistry,
    now: float,
    draw: Callable[[], float],
) -> EndpointEntry | None:
    """By role, then by weight: first untried ones whose breaker is not open."""
    pool: Sequence[EndpointEntry]
    alive = [
        endpoint for endpoint in allowed if breakers.view(entry.key, endpoint.name, now).state is not BreakerState.OPEN
    ]
    pool = alive or (allowed if job.panic else [])
    pool = [endpoint for endpoint in pool if endpoint.name not in tried] or pool
    pool = [endpoint for endpoint in pool if not endpoint.backup] or pool
    if len(pool) < 2:
        return pool[0] if pool else None
    return pick_by_weight(pool, draw())
