"""How far each endpoint of each model can be relied on, as one number: what ``model_router_model_health_score`` shows."""

from __future__ import annotations

from fairlead_router.config.table import Table
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.record.tallies import Samples
from fairlead_router.select.view import BreakerState, Health

_HALF_OPEN = 0.5


def health_score(state: BreakerState, successes: int, failures: int) -> float:
    """0 while the breaker is open, at most 0.5 while it is half open, else the share of recent calls that worked.

    An endpoint that nobody has called lately is healthy as far as anybody knows.
    """
    if state is BreakerState.OPEN:
        return 0.0
    total = successes + failures
    share = successes / total if total else 1.0
    return min(share, _HALF_OPEN) if state is BreakerState.HALF_OPEN else share


def health_scores(table: Table, breakers: BreakerRegistry, checks: Health, now: float) -> Samples:
    """(model, endpoint) and score of all that the table declares; ``now`` in monotonic seconds.

    An endpoint that active checks find unhealthy has 0, whatever its breaker says.
    """
    for key, entry in table.models.items():
        for endpoint in entry.provider.endpoints:
            if not checks.healthy(entry.provider.fragment.key, endpoint.name):
                yield (key, endpoint.name), 0.0
                continue
            breaker = breakers.known(key, endpoint.name)
            successes, failures = (0, 0) if breaker is None else breaker.window.latest(now)
            state = breakers.view(key, endpoint.name, now).state
            yield (key, endpoint.name), health_score(state, successes, failures)
