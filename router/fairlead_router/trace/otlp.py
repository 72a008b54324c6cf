"""Spans and decision events in the OpenTelemetry SDK's own objects, sent by its own exporters over OTLP/HTTP.

The only module that imports OpenTelemetry (15 MB of memory, 90 ms); it is imported when a collector is named. The SDK reads
``OTEL_EXPORTER_OTLP_*`` (headers, timeout, compression, certificates) and ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_SERVICE_NAME``
from the environment itself. Everything here runs on an exporter's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from fairlead_contract.telemetry import EVENT_NAME, PAYLOAD_KEY
from fairlead_router.trace import spans as ours
from fairlead_router.trace.work import NotedDecision, SampledRequest, payload_of

_SCOPE = "fairlead.router"
_KINDS = {
    ours.SpanKind.SERVER: SpanKind.SERVER,
    ours.SpanKind.CLIENT: SpanKind.CLIENT,
    ours.SpanKind.INTERNAL: SpanKind.INTERNAL,
}
_UNDELIVERED = "the collector did not take them"


class ServiceIdentity(msgspec.Struct, frozen=True):
    """Who sends; the environment's words win."""

    name: str
    version: str
    instance: str


class SpanSender:
    """Sends spans; see :class:`fairlead_router.trace.exporter.Exporter`."""

    def __init__(self, endpoint: str, identity: ServiceIdentity) -> None:
        _hush()
        self._exporter = OTLPSpanExporter(endpoint=endpoint)
        self._ids = _GivenIds()
        self._ended = _EndedSpans()
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=_resource(identity),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer(_SCOPE, identity.version)

    def send(self, batch: list[SampledRequest]) -> str | None:
        """What went wrong, or ``None``."""
        for request in batch:
            for span in request.spans():
                self._make(span)
        result = self._exporter.export(self._ended.take())
        return None if result is SpanExportResult.SUCCESS else _UNDELIVERED

    def abort(self) -> None:
        """End a call that runs, and its retries."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _make(self, span: ours.Span) -> None:
        self._ids.give(span.trace_id, span.span_id)
        made = self._tracer.start_span(
            span.name,
            # Whoever called is elsewhere; stages and calls have a parent of ours.
            context=_parent(span.trace_id, span.parent_span_id, is_remote=span.kind is ours.SpanKind.SERVER),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            start_time=span.start,
        )
        for event in span.events:
            made.add_event(event.name, event.attributes, timestamp=event.nanoseconds)
        if span.failed:
            made.set_status(Status(StatusCode.ERROR))
        made.end(end_time=span.end)


class EventSender:
    """Sends decision events as log events; see :class:`fairlead_router.trace.exporter.Exporter`."""

    def __init__(self, endpoint: str, identity: ServiceIdentity) -> None:
        _hush()
        self._exporter = OTLPLogExporter(endpoint=endpoint)
        resource = _resource(identity)
        self._emitted = _EmittedEvents(resource)
        provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_log_record_processor(self._emitted)
        self._logger = provider.get_logger(_SCOPE, identity.version)

    def send(self, batch: list[NotedDecision]) -> str | None:
        """What went wrong, or ``None``."""
        for noted in batch:
            nanoseconds = noted.record.time * 1000
            self._logger.emit(
                LogRecord(
                    timestamp=nanoseconds,
                    observed_timestamp=nanoseconds,
                    context=_of_event(noted),
                    severity_number=SeverityNumber.INFO,
                    severity_text="INFO",
                    event_name=EVENT_NAME,
                    attributes={
                        PAYLOAD_KEY: payload_of(noted.record),
                        "fairlead.inclusion_probability": noted.probability,
                    },
                )
            )
        result = self._exporter.export(self._emitted.take())
        return None if result is LogRecordExportResult.SUCCESS else _UNDELIVERED

    def abort(self) -> None:
        """End a call that runs, and its retries."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _GivenIds(IdGenerator):
    """The ids were made when the request came in, and went to the provider."""

    def __init__(self) -> None:
        self._trace_id = self._span_id = 0

    def give(self, trace_id: str, span_id: str) -> None:
        self._trace_id, self._span_id = int(trace_id, 16), int(span_id, 16)

    def generate_trace_id(self) -> int:
        return self._trace_id

    def generate_span_id(self) -> int:
        return self._span_id


class _EndedSpans(SpanProcessor):
    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def take(self) -> Sequence[ReadableSpan]:
        taken, self._spans = self._spans, []
        return taken


class _EmittedEvents(LogRecordProcessor):
    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._records: list[ReadableLogRecord] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._records.append(
            ReadableLogRecord(
                log_record=log_record.log_record,
                resource=self._resource,
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def take(self) -> Sequence[ReadableLogRecord]:
        taken, self._records = self._records, []
        return taken

    def shutdown(self) -> None:
        self._records.clear()

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def _parent(trace_id: str, span_id: str | None, *, is_remote: bool) -> Context:
    if span_id is None:
        return Context()
    context = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=is_remote, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(context), Context())


def _of_event(noted: NotedDecision) -> Context:
    record = noted.record
    if record.trace_id is None or record.span_id is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if noted.sampled else TraceFlags.DEFAULT)
    context = SpanContext(int(record.trace_id, 16), int(record.span_id, 16), is_remote=False, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context), Context())


def _resource(identity: ServiceIdentity) -> Resource:
    given = Resource.create(
        {
            "service.name": identity.name,
            "service.version": identity.version,
            "service.instance.id": identity.instance,
        }
    )
    return given.merge(OTELResourceDetector().detect())


def _hush() -> None:
    """Delivery that fails is told once, as a state; the SDK would tell it with every batch, quoting the collector."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
