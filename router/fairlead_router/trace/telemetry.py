"""What becomes of a finished request beyond this process: spans if it is sampled, its decision event if that is wanted."""

from __future__ import annotations

from collections.abc import Callable

from fairlead_contract.decision import DecisionRecord
from fairlead_router.config.table import Table
from fairlead_router.record.tallies import Samples
from fairlead_router.record.targets import CalledTargets
from fairlead_router.trace.context import TraceContext
from fairlead_router.trace.exporter import Exporter
from fairlead_router.trace.work import NotedDecision, SampledRequest


class Telemetry:
    """Feeds the exporters. Called while finished requests are recorded, never on the path of one."""

    def __init__(
        self,
        spans: Exporter[SampledRequest] | None,
        events: Exporter[NotedDecision] | None,
        *,
        events_on_spans: bool,
        event_probability: float,
        draw: Callable[[], float],
    ) -> None:
        self._spans = spans
        self._events = events
        self._events_on_spans = events_on_spans
        self._event_probability = event_probability
        self._draw = draw
        self._targets = CalledTargets()

    def note(self, record: DecisionRecord, context: TraceContext | None, table: Table) -> None:
        """Queue what of ``record`` is exported; the work on it is left to the exporters' threads."""
        recorded = context is not None and context.recorded
        if self._spans is not None and context is not None and recorded:
            called = {
                (each.model, each.endpoint): self._targets.of(table, each.model, each.endpoint)
                for each in record.attempts
            }
            self._spans.put(SampledRequest(record, context, called, self._events_on_spans))
        probability = self._event_probability
        if self._events is not None and (probability >= 1 or self._draw() < probability):
            self._events.put(NotedDecision(record, recorded, probability))

    def exported(self) -> Samples:
        """By signal, for metrics."""
        return [((each.signal,), float(each.exported)) for each in self._exporters()]

    def dropped(self) -> Samples:
        """By signal, for metrics."""
        return [((each.signal,), float(each.dropped)) for each in self._exporters()]

    def close(self) -> None:
        """Deliver what is queued, for a few seconds at most. Blocks."""
        for exporter in self._exporters():
            exporter.close()

    def _exporters(self) -> list[Exporter[SampledRequest] | Exporter[NotedDecision]]:
        return [each for each in (self._spans, self._events) if each is not None]
