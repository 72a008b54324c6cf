"""Traces and decision events, received by a collector over OTLP/HTTP."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.router_e2e.fake_upstream import HANG, FakeUpstream
from tests.router_e2e.harness import Harness, eventually, serving
from tests.router_e2e.otlp_sink import Collector, collector, values
from tests.router_e2e.scripts import answers, fails, streams
from tests.router_e2e.world import fallback, policy, provider, timeouts

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REMOTE_PARENT = 0x200  # SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK of OTLP
SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=opaque"}
SERVER, CLIENT = 2, 3
ERROR = 2
ROUTE = "POST /v1/chat/completions"
CALL = "chat small-upstream"


@pytest.fixture
async def sink() -> AsyncIterator[Collector]:
    async with collector() as started:
        yield started


def traced(sink: Collector, percent: float = 100.0, **settings: Any) -> dict[str, Any]:
    return {"otlp_traces_endpoint": sink.traces_endpoint, "trace_sample_percent": percent} | settings


async def spans_of(router: Harness, sink: Collector, requests: int) -> None:
    """Wait until so many requests have been exported."""
    await router.idle()
    router.running.context.recorder.flush()
    await eventually(lambda: len(sink.named(ROUTE)) == requests, f"{requests} requests at the collector")


async def test_a_request_and_each_call_are_spans_of_the_clients_trace(sink: Collector, upstream: FakeUpstream) -> None:
    upstream.plays(fails(500), answers())
    fragments = provider(upstream.url), policy("acme/small", fallbacks=(fallback("acme/small", "Error"),))
    async with serving(*fragments, **traced(sink, percent=0)) as router:
        reply = await router.chat(headers=SAMPLED, max_tokens=50)
        await spans_of(router, sink, 1)
        record = await router.record(reply)
    (request,) = sink.named(ROUTE)
    first, second = sink.named(CALL)
    assert (request.trace_id.hex(), request.parent_span_id.hex(), request.kind) == (TRACE, SPAN, SERVER)
    assert record["traceId"] == TRACE
    assert record["spanId"] == request.span_id.hex()
    has_remote_parent = {each.name: bool(each.flags & REMOTE_PARENT) for each in sink.spans}
    assert has_remote_parent == {ROUTE: True, CALL: False, "receive": False, "match": False, "select": False}
    for number, call in enumerate((first, second)):
        assert (call.trace_id.hex(), call.parent_span_id, call.kind) == (TRACE, request.span_id, CLIENT)
        sent = upstream.received[number].headers
        assert sent["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
        assert sent["tracestate"] == "vendor=opaque"
        assert request.start_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano
        assert call.end_time_unix_nano <= request.end_time_unix_nano
    failed, served = values(first.attributes), values(second.attributes)
    assert (
        failed.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "acme",
            "gen_ai.request.model": "small-upstream",
            "gen_ai.request.max_tokens": 50,
            "server.address": "127.0.0.1",
            "server.port": upstream.port,
            "http.response.status_code": 500,
            "error.type": "server_error",
        }.items()
    )
    assert (first.status.code, second.status.code, request.status.code) == (ERROR, 0, 0)
    assert (served["gen_ai.usage.input_tokens"], served["gen_ai.usage.output_tokens"]) == (10, 5)
    assert (
        values(request.attributes).items()
        >= {
            "http.request.method": "POST",
            "http.route": "/v1/chat/completions",
            "http.response.status_code": 200,
            "fairlead.decision.id": reply.decision,
            "fairlead.policy": "team/route",
            "fairlead.attempts": 2,
        }.items()
    )
    stages = [sink.named(name)[0] for name in ("receive", "match", "select")]
    assert [stage.end_time_unix_nano for stage in stages[:2]] == [stage.start_time_unix_nano for stage in stages[1:]]
    assert len({each.span_id for each in sink.spans}) == len(sink.spans) == 6


async def test_a_client_that_is_not_sampled_leaves_no_span_and_its_trace_goes_on(
    sink: Collector, upstream: FakeUpstream
) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:
        unsampled = await router.chat(headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        await router.chat()
        await spans_of(router, sink, 1)
        assert (await router.record(unsampled))["traceId"] == TRACE
    assert upstream.received[0].headers["traceparent"] == f"00-{TRACE}-{SPAN}-00"
    assert {span.trace_id.hex() for span in sink.spans}.isdisjoint({TRACE})


async def test_a_stream_is_one_span_from_its_first_byte_to_its_last(sink: Collector, upstream: FakeUpstream) -> None:
    upstream.plays(streams())
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:
        await router.chat(stream=True)
        await spans_of(router, sink, 1)
    (request,), (call,) = sink.named(ROUTE), sink.named(CALL)
    assert "fairlead.committed" in [event.name for event in request.events]
    assert values(call.attributes)["gen_ai.request.stream"] is True


async def test_a_strangers_trace_is_not_gone_on_with(sink: Collector, upstream: FakeUpstream) -> None:
    fragments = provider(upstream.url), policy("acme/small")
    async with serving(*fragments, **traced(sink, trace_trust_clients=False)) as router:
        await router.chat(headers=SAMPLED)
        await spans_of(router, sink, 1)
    assert TRACE not in upstream.received[0].headers["traceparent"]
    assert "tracestate" not in upstream.received[0].headers
    assert sink.named(ROUTE)[0].trace_id.hex() != TRACE


async def test_without_a_collector_a_trace_only_goes_through(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        with_trace = await router.chat(headers=SAMPLED)
        without = await router.chat()
        assert (await router.record(with_trace))["traceId"] == TRACE
        assert "traceId" not in await router.record(without)
    assert upstream.received[0].headers["traceparent"] == SAMPLED["traceparent"]
    assert "traceparent" not in upstream.received[1].headers


async def test_the_standard_variables_name_service_and_headers(
    sink: Collector, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "edge-router")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:
        await router.chat()
        await spans_of(router, sink, 1)
    assert (
        sink.resources[0].items()
        >= {
            "service.name": "edge-router",
            "deployment.environment.name": "test",
        }.items()
    )
    assert "service.version" in sink.resources[0]
    assert sink.headers[0]["x-tenant"] == "blue"


# ------------------------------------------------------------------------------------------------ a collector that is away


async def test_a_collector_that_refuses_is_a_named_state_and_nothing_else(
    sink: Collector, upstream: FakeUpstream
) -> None:
    sink.status = 400
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:

        async def degraded() -> dict[str, str]:
            shown: dict[str, str] = (await router.request("GET", "/health/detailed")).json["degraded"]
            return shown

        async def named() -> bool:
            return (await degraded()).get("traces", "").startswith("TracesUndelivered: ")

        async def well() -> bool:
            return not await degraded()

        assert (await router.chat()).status == 200
        await eventually(named, "the state is named")
        assert await router.metric("fairlead_degraded", component="traces") == 1
        assert await router.metric("fairlead_telemetry_dropped_total", signal="traces") == 1
        assert (await router.request("GET", "/health/ready")).status == 200
        sink.status = 200
        assert (await router.chat()).status == 200
        await eventually(well, "the state is over")
        assert await router.metric("fairlead_telemetry_exported_total", signal="traces") == 1
    assert len(sink.named(ROUTE)) == 1


async def test_what_is_queued_at_the_end_is_still_delivered(sink: Collector, upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:
        for _ in range(5):
            await router.chat()
        await router.idle()
    assert len(sink.named(ROUTE)) == 5


# ------------------------------------------------------------------------------------------------ decision events


async def test_every_kind_of_outcome_is_an_event_of_the_published_schema(
    sink: Collector, upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.plays(answers(), fails(500), fails(400, "bad"), [HANG], fails(500))
    other.plays(answers(), fails(500), answers())
    chosen = policy(
        "acme/small",
        fallbacks=(fallback("zenith/large", "Error"),),
        timeouts=timeouts(total=1, first_byte=1),
    )
    fragments = provider(upstream.url), provider(other.url, "zenith", models=["large"]), chosen
    everything = traced(sink, otlp_logs_endpoint=sink.logs_endpoint, decision_events="both")
    async with serving(*fragments, **everything) as router:
        expected = {}
        for status in ("success", "fallback", "error", "timeout", "failure"):
            reply = await router.chat(headers={"x-fairlead-user": "somebody"})
            expected[reply.decision] = status
        unknown = await router.chat("none")
        expected[unknown.decision] = "error"
        await spans_of(router, sink, 6)
        await eventually(lambda: len(sink.logs) == 6, "six log events")
        records = {each: await router.record(each) for each in expected}
    on_spans = {each["event_id"]: each for each in sink.events_on_spans()}
    in_logs = {each["event_id"]: each for each in sink.events_in_logs()}
    assert on_spans == in_logs
    assert len(in_logs) == 6
    by_trace = {each["trace_id"]: each for each in in_logs.values()}
    for decision, status in expected.items():
        event, record = by_trace[records[decision]["traceId"]], records[decision]
        assert event["outcome"]["status"] == status
        assert event["span_id"] == record["spanId"]
        assert event["timestamp_unix_ms"] == record["time"] // 1000
        assert event["timings"]["total_ms"] >= event["timings"]["strategy_ms"] >= 0
        assert event["input"]["user_id"] in {None, record["facts"].get("userHash")}
    fell = next(each for each in in_logs.values() if each["outcome"]["status"] == "fallback")
    assert fell["fallback"] == {"fallback_triggered": True, "original_model": "small", "fallback_reason": "Error"}
    assert (fell["selected_deployment"], fell["selection_reason"]) == ("large", "fallback")
    assert {each.event_name for each in sink.logs} == {"routeiq.router_decision.v1"}
    assert {values(each.attributes)["fairlead.inclusion_probability"] for each in sink.logs} == {1.0}


async def test_a_share_of_the_events_says_with_which_probability_each_was_sent(
    sink: Collector, upstream: FakeUpstream
) -> None:
    logs = {"otlp_logs_endpoint": sink.logs_endpoint, "decision_events": "logs", "decision_event_percent": 50.0}
    async with serving(provider(upstream.url), policy("acme/small"), **logs) as router:
        for _ in range(60):
            await router.chat()
        await router.idle()
    assert 5 < len(sink.logs) < 55
    assert {values(each.attributes)["fairlead.inclusion_probability"] for each in sink.logs} == {0.5}
    for event in sink.events_in_logs():
        assert event["trace_id"] == "0" * 32
    assert sink.spans == []


async def test_a_router_without_the_sdk_serves_and_says_what_is_missing(
    sink: Collector, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fairlead_router.trace.otlp", None)
    async with serving(provider(upstream.url), policy("acme/small"), **traced(sink)) as router:
        assert (await router.chat()).status == 200
        degraded = (await router.request("GET", "/health/detailed")).json["degraded"]
    assert degraded["traces"].startswith("TracesUndelivered: ")
    assert "pip install 'fairlead[otel]'" in degraded["traces"]
    assert sink.bodies == []


async def test_a_collector_that_cannot_be_reached_changes_nothing_for_clients(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://someone:token@127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        settings = {"otlp_traces_endpoint": endpoint, "trace_sample_percent": 100.0}
        async with serving(provider(upstream.url), policy("acme/small"), **settings) as router:

            async def named() -> bool:
                assert (await router.chat()).status == 200
                shown = (await router.request("GET", "/health/detailed")).json["degraded"].get("traces", "")
                assert "token" not in shown
                return f"http://127.0.0.1:{nobody.getsockname()[1]}" in shown

            await eventually(named, "the state is named", seconds=20)
            assert (await router.request("GET", "/health/ready")).status == 200
