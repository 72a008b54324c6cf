"""Begins to export, if a collector is named. Without the SDK or without a collector the router serves all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from fairlead_router.settings import Settings
from fairlead_router.trace.context import Sampling
from fairlead_router.trace.exporter import Exporter
from fairlead_router.trace.telemetry import Telemetry

if TYPE_CHECKING:
    from fairlead_router.trace.otlp import ServiceIdentity

logger = logging.getLogger("fairlead.trace")

UNDELIVERED = "TracesUndelivered"
"""The named state while a collector does not take what it is sent."""

T = TypeVar("T")
Tell = Callable[[str, str | None], None]
"""Takes the component and what is wrong with it; ``None``: nothing any more. Called on any thread."""


class _Sender(Protocol[T]):
    def send(self, batch: list[T]) -> str | None: ...

    def abort(self) -> None: ...


def sampling_of(settings: Settings) -> Sampling:
    """How requests are sampled."""
    return Sampling(
        exporting=settings.otlp_traces_endpoint is not None,
        ratio=settings.trace_sample_percent / 100,
        trust_clients=settings.trace_trust_clients,
        parent_based=settings.trace_parent_based,
    )


def open_telemetry(
    settings: Settings, *, version: str, instance: str, draw: Callable[[], float], tell: Tell
) -> Telemetry | None:
    """``None``: nothing is exported."""
    traces, logs = settings.otlp_traces_endpoint, settings.otlp_logs_endpoint
    wanted = settings.decision_events
    events_wanted = logs is not None and wanted in {"logs", "both"}
    if traces is None and not events_wanted:
        return None
    try:
        from fairlead_router.trace.otlp import EventSender, ServiceIdentity, SpanSender
    except ImportError as error:
        problem = f"a collector is named, and {error.name} is not installed; pip install 'fairlead[otel]'"
        logger.warning("traces are not exported: %s", problem)
        tell("traces", f"{UNDELIVERED}: {problem}")
        return None
    identity: ServiceIdentity = ServiceIdentity("fairlead-router", version, instance)
    spans = None if traces is None else _exporter("traces", SpanSender(traces, identity), traces, tell)
    events = None
    if logs is not None and events_wanted:
        events = _exporter("events", EventSender(logs, identity), logs, tell)
    return Telemetry(
        spans,
        events,
        events_on_spans=wanted in {"traces", "both"},
        event_probability=settings.decision_event_percent / 100,
        draw=draw,
    )


def _exporter(signal: str, sender: _Sender[T], endpoint: str, tell: Tell) -> Exporter[T]:
    where = _without_secrets(endpoint)

    def told(problem: str | None) -> None:
        tell(
            signal, None if problem is None else f"{UNDELIVERED}: {where}: {problem}; what is not delivered is dropped"
        )

    return Exporter(signal, sender.send, sender.abort, told)


def _without_secrets(endpoint: str) -> str:
    """Scheme, host and port: a path or a user may hold a token."""
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
