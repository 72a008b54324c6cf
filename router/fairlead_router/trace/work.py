"""What waits to be exported. Made where a request is recorded; turned into spans and events on an exporter's thread."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fairlead_contract.decision import Attempt, DecisionRecord
from fairlead_contract.telemetry import encode_event, router_decision_event
from fairlead_router.record.targets import CalledTarget
from fairlead_router.trace.context import TraceContext
from fairlead_router.trace.spans import Span, spans_of


class SampledRequest(msgspec.Struct, frozen=True):
    """A request whose spans are exported."""

    record: DecisionRecord
    context: TraceContext
    called: Mapping[tuple[str, str], CalledTarget]
    """By model and endpoint. Looked up already: a queue must not keep a table alive that was replaced long ago."""
    with_event: bool

    def spans(self) -> list[Span]:
        """Its spans; the first carries the decision event if that is wanted."""
        payload = payload_of(self.record) if self.with_event else None
        return spans_of(self.record, self.context, self._called, payload)

    def _called(self, attempt: Attempt) -> CalledTarget:
        return self.called[attempt.model, attempt.endpoint]


class NotedDecision(msgspec.Struct, frozen=True):
    """A decision whose event is exported by itself."""

    record: DecisionRecord
    sampled: bool
    """Whether a trace of it is exported too."""
    probability: float
    """With which it was chosen to be exported."""


def payload_of(record: DecisionRecord) -> str:
    """The decision event as JSON."""
    return encode_event(router_decision_event(record))
