"""How the endpoints of a provider fare over all routers, and what `Degraded` says of it. Pure.

Each router judges by its own calls and checks; the worst of them counts, because its requests are the ones that suffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.status.reasons import ConditionType, OperatorReason
from fairlead_operator.status.verdict import TRUE, Verdict

ENDPOINT_REASONS = frozenset(
    {
        OperatorReason.ALL_ENDPOINTS_UNHEALTHY.value,
        OperatorReason.ENDPOINTS_UNHEALTHY.value,
        OperatorReason.ENDPOINTS_DEGRADED.value,
    }
)
"""Reasons of `Degraded` that routers know, not the compiler."""

STATE_RANK = {
    EndpointState.UNKNOWN: 0,
    EndpointState.HEALTHY: 1,
    EndpointState.DEGRADED: 2,
    EndpointState.UNHEALTHY: 3,
}
BREAKER_RANK = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}

_LONGEST_MILLISECONDS = 86_400_000
"""As the CRD bounds it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One endpoint as one router sees it."""

    state: EndpointState
    breaker: BreakerState = BreakerState.CLOSED
    score_percent: int = 100
    calls: int | None = None
    """In the windows of its breakers; ``None``: a router of an earlier version does not say."""
    latency_p50_milliseconds: int | None = None
    error_percent: float | None = None
    """Of those calls; ``None``: there were none."""
    check_error: str | None = None
    """Why active checks find it unhealthy, in a word; ``None`` if they do not."""

    @property
    def weight(self) -> int:
        """What it counts in an average."""
        return 1 if self.calls is None else self.calls

    @property
    def untried(self) -> bool:
        """Its breaker has been half open for so long that no call is remembered: it tells of long ago."""
        return self.breaker is BreakerState.HALF_OPEN and self.check_error is None and self.calls == 0

    @property
    def proven(self) -> bool:
        """Calls work, there, now."""
        return self.state is EndpointState.HEALTHY and self.weight > 0 and self.error_percent is not None


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One endpoint as all routers see it together. Numbers are ``None`` where nobody knows."""

    state: EndpointState = EndpointState.UNKNOWN
    breaker: BreakerState = BreakerState.CLOSED
    score_percent: int | None = None
    latency_p50_milliseconds: int | None = None
    error_percent: float | None = None
    check_error: str | None = None


UNKNOWN_HEALTH = EndpointHealth()

Endpoints = Mapping[str, EndpointHealth]
"""By name, in the order of spec."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What routers said, by ``namespace/name`` of the provider."""

    shown: Mapping[str, Endpoints]

    def endpoints(self, provider: str, declared: Sequence[str]) -> Endpoints:
        """Those declared; of a provider that declares none, what routers made up for it and can tell something of."""
        known = self.shown.get(provider, {})
        if declared:
            return {name: known.get(name, UNKNOWN_HEALTH) for name in declared}
        return {name: known[name] for name in sorted(known) if known[name] != UNKNOWN_HEALTH}


def combine(sightings: Iterable[Sighting]) -> EndpointHealth:
    """One endpoint over all routers that told of it, in whatever order."""
    known = [each for each in sightings if each.state is not EndpointState.UNKNOWN]
    if any(each.proven for each in known):
        known = [each for each in known if not each.untried]
    if not known:
        return UNKNOWN_HEALTH
    return EndpointHealth(
        state=max((each.state for each in known), key=STATE_RANK.__getitem__),
        breaker=max((each.breaker for each in known), key=BREAKER_RANK.__getitem__),
        score_percent=min(max(0, min(each.score_percent, 100)) for each in known),
        latency_p50_milliseconds=_weighted_median(
            (min(each.latency_p50_milliseconds, _LONGEST_MILLISECONDS), max(1, each.weight))
            for each in known
            if each.latency_p50_milliseconds is not None
        ),
        error_percent=_weighted_mean(
            (each.error_percent, each.weight) for each in known if each.error_percent is not None
        ),
        check_error=min((each.check_error for each in known if each.check_error is not None), default=None),
    )


def degradation(endpoints: Endpoints) -> Verdict | None:
    """`Degraded` with endpoints that do not fare well; ``None``: nothing is known against any.

    No number is in the message: it would be another one at every look.
    """
    unhealthy = [name for name, each in endpoints.items() if each.state is EndpointState.UNHEALTHY]
    ailing = {name: _ailment(each) for name, each in endpoints.items() if STATE_RANK[each.state] > 1}
    if not ailing:
        return None
    if len(unhealthy) == len(endpoints):
        reason = OperatorReason.ALL_ENDPOINTS_UNHEALTHY
        remedy = "requests go to fallbacks where a policy has any; look at the provider, its address and its credential"
    elif unhealthy:
        reason = OperatorReason.ENDPOINTS_UNHEALTHY
        remedy = "the other endpoints get the requests; look at those named, their addresses and the credential"
    else:
        reason = OperatorReason.ENDPOINTS_DEGRADED
        remedy = "/-/health of the routers shows the numbers; look at what the provider answers"
    told = "; ".join(f"endpoint {name}: {words}" for name, words in ailing.items())
    return Verdict(TRUE, reason, f"{told}: {remedy}")


def status_of(endpoints: Endpoints) -> list[dict[str, Any]]:
    """``status.endpoints`` in the shape of the API."""
    return [_body(name, each) for name, each in endpoints.items()]


def carried_over(current: Mapping[str, Any]) -> Verdict | None:
    """What the written status says of endpoints in `Degraded`, for as long as no router was asked."""
    for each in current.get("conditions") or ():
        if each.get("type") == ConditionType.DEGRADED and each.get("reason") in ENDPOINT_REASONS:
            return Verdict(TRUE, each["reason"], str(each.get("message")))
    return None


def rounded(health: EndpointHealth) -> EndpointHealth:
    """With numbers as coarse as people read them, so that fewer of them differ."""
    latency, errors = health.latency_p50_milliseconds, health.error_percent
    return replace(
        health,
        latency_p50_milliseconds=None if latency is None else int(float(f"{latency:.2g}")),
        error_percent=None if errors is None else round(errors, 1 if errors < 10 else 0),
    )


def _ailment(health: EndpointHealth) -> str:
    if health.check_error is not None:
        return f"its health check fails ({health.check_error})"
    if health.breaker is BreakerState.OPEN:
        return "its circuit breaker is open"
    if health.breaker is BreakerState.HALF_OPEN:
        return "its circuit breaker is half open, and only some requests pass to try it"
    return "too many of its calls fail"


def _body(name: str, health: EndpointHealth) -> dict[str, Any]:
    errors = health.error_percent
    body: dict[str, Any] = {
        "name": name,
        "state": health.state.value,
        "breaker": health.breaker.value,
        "scorePercent": health.score_percent,
        "latencyP50Milliseconds": health.latency_p50_milliseconds,
        "errorPercent": None if errors is None else f"{errors:.2f}".rstrip("0").rstrip("."),
    }
    return {field: value for field, value in body.items() if value is not None}


def _weighted_mean(values: Iterable[tuple[float, int]]) -> float | None:
    pairs = [(value, weight) for value, weight in values if weight > 0]
    if not pairs:
        return None
    # fsum is exact, so the order of routers cannot show in the last digit.
    mean = fsum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)
    return max(0.0, min(mean, 100.0))


def _weighted_median(values: Iterable[tuple[int, int]]) -> int | None:
    """The lower one. Of medians it is not the median of all calls, but always between the smallest and the largest."""
    pairs = sorted(values)
    half, reached = sum(weight for _, weight in pairs) / 2, 0
    for value, weight in pairs:
        reached += weight
        if reached >= half:
            return max(0, value)
    return None
