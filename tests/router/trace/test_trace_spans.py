"""The spans of a request: their tree, their times, their attributes. How a collector gets them is tested end to end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from fairlead_contract.decision import Attempt, DecisionRecord, Outcome, Stages, Usage
from fairlead_router.record.targets import CalledTarget, CalledTargets
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.trace.context import TraceContext
from fairlead_router.trace.spans import Span, SpanKind, spans_of
from tests.router.builders import a_model, a_provider, a_record, a_table, key
from tests.router.select.select_worlds import World, worlds

CONTEXT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True, True, 0.01)
STAGES = Stages(received_microseconds=100, matched_microseconds=150, selected_microseconds=200)
CALLED = CalledTarget("openai", "gpt-4", "api.openai.com", "443")


def spans(record: DecisionRecord, **fields: Any) -> list[Span]:
    return spans_of(record, CONTEXT, lambda attempt: CALLED, **fields)


def call(outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> Attempt:
    given: dict[str, Any] = {"model": key(), "endpoint": "primary", "started_microseconds": 250}
    return Attempt(outcome=outcome, duration_microseconds=1000, **(given | fields))


def test_a_request_its_stages_and_its_calls_make_one_tree() -> None:
    request, *children = spans(a_record(stages=STAGES, attempts=(call(Outcome.FAILED), call())))
    assert [each.name for each in children] == ["receive", "match", "select", "chat gpt-4", "chat gpt-4"]
    assert {each.parent_span_id for each in children} == {request.span_id} == {CONTEXT.span_id}
    assert {each.trace_id for each in (request, *children)} == {CONTEXT.trace_id}
    assert len({each.span_id for each in (request, *children)}) == 6
    assert [each.span_id for each in children[3:]] == [CONTEXT.attempt_span_id(number) for number in (1, 2)]
    assert (request.kind, children[0].kind, children[3].kind) == (SpanKind.SERVER, SpanKind.INTERNAL, SpanKind.CLIENT)


def test_times_are_those_of_the_record_in_nanoseconds() -> None:
    record = a_record(stages=STAGES, attempts=(call(first_byte_microseconds=400),), committed_microseconds=700)
    request, receive, match, select, attempt = spans(record)
    start = record.time * 1000
    assert (request.start, request.end) == (start, start + record.duration_microseconds * 1000)
    assert (receive.start, receive.end, match.end, select.end) == (
        start,
        start + 100_000,
        start + 150_000,
        start + 200_000,
    )
    assert (attempt.start, attempt.end) == (start + 250_000, start + 1_250_000)
    assert attempt.events[0].nanoseconds == start + 650_000
    assert request.events[0].nanoseconds == start + 700_000


@pytest.mark.parametrize(
    ("status", "outcome", "failed"),
    [
        (200, Outcome.SUCCEEDED, False),
        (400, Outcome.REFUSED, False),
        (499, Outcome.CANCELLED, False),
        (200, Outcome.TRUNCATED, True),
        (502, Outcome.FAILED, True),
    ],
)
def test_a_request_has_failed_if_it_was_not_its_clients_fault(status: int, outcome: Outcome, failed: bool) -> None:
    assert spans(a_record(status=status, outcome=outcome))[0].failed is failed


def test_a_call_tells_of_its_tokens_and_a_failure_of_its_error() -> None:
    usage = Usage(input_tokens=5, output_tokens=7, cached_input_tokens=3)
    _, served, failed = spans(
        a_record(
            attempts=(call(usage=usage, cost_micro_usd=42), call(Outcome.FAILED, error="server_error", status=500))
        )
    )
    assert served.attributes["gen_ai.usage.input_tokens"] == 5
    assert served.attributes["gen_ai.usage.cache_read.input_tokens"] == 3
    assert "gen_ai.usage.reasoning.output_tokens" not in served.attributes
    assert "error.type" not in served.attributes
    assert (failed.attributes["error.type"], failed.attributes["http.response.status_code"]) == ("server_error", 500)
    assert (served.failed, failed.failed) == (False, True)


def test_the_decision_event_is_on_the_request_if_it_is_wanted() -> None:
    request = spans(a_record(stages=STAGES), payload='{"a":1}')[0]
    (event,) = request.events
    assert event.name == "routeiq.router_decision.v1"
    assert event.attributes == {"routeiq.router_decision.payload": '{"a":1}'}
    assert spans(a_record())[0].events == ()


@given(worlds())
def test_whatever_was_selected_no_attribute_is_one_for_content(world: World) -> None:
    chosen = world.select(KeyedDraws(b"k"))
    made = spans(a_record(facts=world.facts, candidates=chosen.candidates, attempts=(call(),)), payload="{}")
    names = {name for span in made for name in span.attributes}
    assert names.isdisjoint({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})
    assert not any(name.startswith(("enduser", "user", "session", "url.query")) for name in names)


@pytest.mark.parametrize(
    ("type_", "name"), [("OpenAI", "openai"), ("AzureOpenAI", "azure.ai.openai"), ("OpenAICompatible", "mine")]
)
def test_a_provider_has_opentelemetrys_name_where_there_is_one(type_: str, name: str) -> None:
    table = a_table(a_provider("mine", [a_model(upstream_name="gpt-4o")], type=type_))
    called = CalledTargets().of(table, key(provider="mine"), "primary")
    assert called == CalledTarget(name, "gpt-4o", "mine.example", "443")


def test_a_target_is_looked_up_anew_when_it_is_declared_anew() -> None:
    targets = CalledTargets()
    one, two = (a_table(a_provider(models=[a_model(upstream_name=name)])) for name in ("one", "two"))
    assert [targets.of(table, key(), "primary").model for table in (one, one, two)] == ["one", "one", "two"]
    assert targets.of(two, "gone", "primary").model == "unknown"
