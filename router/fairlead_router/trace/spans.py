"""The spans of a request, made from its record when it is over. Pure; knows no SDK.

Attribute names are OpenTelemetry's: stable HTTP conventions for the request, generative-AI conventions (status:
development) for each call to a provider, ``fairlead.*`` for what is ours. Content attributes are never set.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from fairlead_contract.decision import Attempt, DecisionRecord, Outcome, Usage
from fairlead_contract.telemetry import EVENT_NAME, PAYLOAD_KEY
from fairlead_router.record.targets import OPERATION_NAMES, CalledTarget
from fairlead_router.trace.context import TraceContext

AttributeValue = str | int | float | bool
Attributes = dict[str, AttributeValue]

_PATHS = {"Chat": "/v1/chat/completions", "Completion": "/v1/completions", "Embedding": "/v1/embeddings"}
_FIRST_CHILD_OF_STAGES = 1 << 32
"""Stages have span ids far from those of attempts, which count from 1."""


class SpanKind(Enum):
    """OpenTelemetry's kinds, those that are used."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class SpanEvent(msgspec.Struct, frozen=True):
    """A moment of a span."""

    name: str
    nanoseconds: int
    attributes: Attributes


class Span(msgspec.Struct, frozen=True):
    """One span that has ended. Times are Unix nanoseconds."""

    name: str
    kind: SpanKind
    trace_id: str
    span_id: str
    parent_span_id: str | None
    start: int
    end: int
    attributes: Attributes
    failed: bool = False
    events: tuple[SpanEvent, ...] = ()


def spans_of(
    record: DecisionRecord,
    context: TraceContext,
    called: Callable[[Attempt], CalledTarget],
    payload: str | None = None,
) -> list[Span]:
    """The request's own span, one for each stage it passed, one for each call. ``payload``: the decision event, if wanted."""
    arrived = record.time * 1000
    return [
        _request(record, context, arrived, payload),
        *_stages(record, context, arrived),
        *(
            _attempt(record, context, arrived, number, attempt, called(attempt))
            for number, attempt in enumerate(record.attempts, start=1)
        ),
    ]


def _request(record: DecisionRecord, context: TraceContext, arrived: int, payload: str | None) -> Span:
    path = _PATHS.get(record.facts.request_type, "")
    attributes: Attributes = {
        "http.request.method": "POST",
        "http.response.status_code": record.status,
        "fairlead.decision.id": record.id,
        "fairlead.outcome": record.outcome.value,
        "fairlead.attempts": len(record.attempts),
        "fairlead.snapshot": f"{record.snapshot.epoch}.{record.snapshot.revision}",
        "fairlead.cost.micro_usd": record.cost_micro_usd,
        "fairlead.overhead.microseconds": record.overhead_microseconds,
    }
    _put(attributes, "http.route", path or None)
    _put(attributes, "fairlead.policy", None if record.policy is None else record.policy.key)
    _put(attributes, "fairlead.strategy", record.strategy)
    _put(attributes, "fairlead.model", record.chosen)
    _put(attributes, "fairlead.propensity", record.propensity)
    _put(attributes, "fairlead.sampling.probability", context.probability)
    _put(attributes, "error.type", record.error)
    events: list[SpanEvent] = []
    if record.committed_microseconds is not None:
        events.append(SpanEvent("fairlead.committed", arrived + record.committed_microseconds * 1000, {}))
    end = arrived + record.duration_microseconds * 1000
    if payload is not None:
        selected = None if record.stages is None else arrived + record.stages.selected_microseconds * 1000
        events.append(SpanEvent(EVENT_NAME, selected or end, {PAYLOAD_KEY: payload}))
    return Span(
        f"POST {path}".strip(),
        SpanKind.SERVER,
        context.trace_id,
        context.span_id,
        context.parent_span_id,
        arrived,
        end,
        attributes,
        failed=record.status >= 500 or record.outcome is Outcome.TRUNCATED,
        events=tuple(events),
    )


def _stages(record: DecisionRecord, context: TraceContext, arrived: int) -> list[Span]:
    stages = record.stages
    if stages is None:
        return []
    times = (0, stages.received_microseconds, stages.matched_microseconds, stages.selected_microseconds)
    return [
        Span(
            name,
            SpanKind.INTERNAL,
            context.trace_id,
            context.attempt_span_id(_FIRST_CHILD_OF_STAGES + place),
            context.span_id,
            arrived + times[place] * 1000,
            arrived + times[place + 1] * 1000,
            {},
        )
        for place, name in enumerate(("receive", "match", "select"))
    ]


def _attempt(
    record: DecisionRecord, context: TraceContext, arrived: int, number: int, attempt: Attempt, called: CalledTarget
) -> Span:
    operation = OPERATION_NAMES.get(record.facts.request_type, "other")
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": called.provider,
        "gen_ai.request.model": called.model,
        "gen_ai.request.stream": record.facts.stream,
        "fairlead.model": attempt.model,
        "fairlead.endpoint": attempt.endpoint,
        "fairlead.outcome": attempt.outcome.value,
        "http.request.resend_count": number - 1,
    }
    _put(attributes, "gen_ai.request.max_tokens", record.facts.max_output_tokens)
    _put(attributes, "server.address", called.address or None)
    _put(attributes, "server.port", int(called.port) if called.port else None)
    _put(attributes, "http.response.status_code", attempt.status)
    _put(attributes, "fairlead.retry_after.seconds", attempt.retry_after_seconds)
    _put(attributes, "error.type", attempt.error)
    if attempt.usage is not None:
        _put_usage(attributes, attempt.usage)
        attributes["fairlead.cost.micro_usd"] = attempt.cost_micro_usd
    start = arrived + attempt.started_microseconds * 1000
    events: tuple[SpanEvent, ...] = ()
    if attempt.first_byte_microseconds is not None:
        events = (SpanEvent("fairlead.first_byte", start + attempt.first_byte_microseconds * 1000, {}),)
    return Span(
        f"{operation} {called.model}",
        SpanKind.CLIENT,
        context.trace_id,
        context.attempt_span_id(number),
        context.span_id,
        start,
        start + attempt.duration_microseconds * 1000,
        attributes,
        failed=attempt.outcome not in {Outcome.SUCCEEDED, Outcome.CANCELLED},
        events=events,
    )


def _put_usage(attributes: Attributes, usage: Usage) -> None:
    attributes["gen_ai.usage.input_tokens"] = usage.input_tokens
    attributes["gen_ai.usage.output_tokens"] = usage.output_tokens
    _put(attributes, "gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens or None)
    _put(attributes, "gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens or None)
    _put(attributes, "gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens or None)
    _put(attributes, "fairlead.usage.estimated", usage.estimated or None)


def _put(attributes: Attributes, name: str, value: AttributeValue | None) -> None:
    if value is not None:
        attributes[name] = value
