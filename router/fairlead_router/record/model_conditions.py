"""How one model fares at each endpoint of its provider, as this router sees it: what was measured, and its breaker."""

from __future__ import annotations

import msgspec

from fairlead_router.config.table import ModelEntry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.select.statistics import Statistics
from fairlead_router.select.view import BreakerState


class ModelAtEndpoint(msgspec.Struct, frozen=True):
    """``None``: too little is known, or it was too long ago. Milliseconds and percent."""

    endpoint: str
    breaker: BreakerState
    running: int
    """Calls of this moment."""
    succeeded: int
    """Calls in the window of the breaker."""
    failed: int
    success_percent: float | None = None
    """An average of which half is forgotten every so often, as constraints look at it."""
    latency_p50_ms: float | None = None
    """To the end of an answer: the middle one of the last answers of this router."""
    latency_mean_ms: float | None = None
    first_byte_ms: float | None = None
    """Of streams, an average that takes slow ones seriously."""


class ModelCondition(msgspec.Struct, frozen=True):
    """One model at all its endpoints."""

    endpoints: tuple[ModelAtEndpoint, ...]
    mean_output_tokens: float | None = None


def model_condition(entry: ModelEntry, dispatcher: Dispatcher, statistics: Statistics, now: float) -> ModelCondition:
    """``now``: monotonic seconds."""
    places = tuple(_at(entry, endpoint.name, dispatcher, statistics, now) for endpoint in entry.provider.endpoints)
    return ModelCondition(places, statistics.output_tokens(entry.key))


def _at(
    entry: ModelEntry, endpoint: str, dispatcher: Dispatcher, statistics: Statistics, now: float
) -> ModelAtEndpoint:
    measured = statistics.endpoint(entry.key, endpoint, now)
    breaker = dispatcher.breakers.known(entry.key, endpoint)
    succeeded, failed = (0, 0) if breaker is None else breaker.window.latest(now)
    return ModelAtEndpoint(
        endpoint=endpoint,
        breaker=dispatcher.breakers.view(entry.key, endpoint, now).state,
        running=measured.outstanding,
        succeeded=succeeded,
        failed=failed,
        success_percent=None if measured.success_ppm is None else measured.success_ppm / 10_000,
        latency_p50_ms=_milliseconds(dispatcher.statistics.median_seconds(entry.key, endpoint)),
        latency_mean_ms=_milliseconds(measured.mean_seconds),
        first_byte_ms=_milliseconds(measured.first_byte_seconds),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
