"""W3C Trace Context in and out, and which requests are sampled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_router.trace.context import Parent, Sampling, TraceContext, Tracing, parse_parent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"
WRITTEN = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


def tracing(**fields: Any) -> Tracing:
    counter = iter(range(1, 10_000))

    def random_bytes(count: int) -> bytes:
        return b"".join((next(counter) * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big") for _ in range(count // 8))

    return Tracing(Sampling(**({"exporting": True} | fields)), random_bytes)


def begun(headers: Mapping[str, str], **fields: Any) -> TraceContext:
    context = tracing(**fields).begin(headers)
    assert context is not None
    return context


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        (GIVEN, Parent(TRACE, SPAN, True, None)),
        (f" {GIVEN} ", Parent(TRACE, SPAN, True, None)),
        (f"00-{TRACE}-{SPAN}-00", Parent(TRACE, SPAN, False, None)),
        (f"00-{TRACE}-{SPAN}-03", Parent(TRACE, SPAN, True, None)),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", Parent(TRACE, SPAN, True, None)),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"cc-{TRACE}-{SPAN}-01.more", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE[:-1]}-{SPAN}-01", None),
        ("", None),
        ("\u0660" * 55, None),
    ],
)
def test_a_traceparent_is_read_as_the_recommendation_says(text: str, parent: Parent | None) -> None:
    assert parse_parent(text, None) == parent


@given(st.text(max_size=80))
def test_no_header_value_breaks_the_reader(text: str) -> None:
    parse_parent(text, text)


@pytest.mark.parametrize(
    ("state", "kept"),
    [("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", True), ("x=" + "y" * 600, False), ("a=\x01", False), ("", False)],
)
def test_a_tracestate_goes_on_if_it_can_be_one(state: str, kept: bool) -> None:
    headers = begun({"traceparent": GIVEN, "tracestate": state}).upstream_headers(1)
    assert headers.get("tracestate") == (state if kept else None)


def test_a_tracestate_in_several_headers_is_one_list() -> None:
    headers = CIMultiDict([("traceparent", GIVEN), ("tracestate", "a=1"), ("TraceState", "b=2"), ("tracestate", "")])
    assert begun(headers).upstream_headers(1)["tracestate"] == "a=1,b=2"


def test_a_tracestate_without_a_valid_traceparent_is_dropped() -> None:
    assert "tracestate" not in begun({"traceparent": "junk", "tracestate": "a=b"}).upstream_headers(1)


def test_each_attempt_has_its_own_span_in_the_clients_trace() -> None:
    context = begun({"traceparent": GIVEN})
    assert (context.trace_id, context.parent_span_id, context.recorded) == (TRACE, SPAN, True)
    sent = [context.upstream_headers(number)["traceparent"] for number in (1, 2)]
    assert all(WRITTEN.fullmatch(each) for each in sent)
    assert sent == [f"00-{TRACE}-{context.attempt_span_id(number)}-01" for number in (1, 2)]
    assert len({context.span_id, context.attempt_span_id(1), context.attempt_span_id(2)}) == 3


def test_without_a_collector_a_clients_trace_goes_through_as_it_came_and_none_begins() -> None:
    assert begun({"traceparent": GIVEN}, exporting=False).upstream_headers(1) == {"traceparent": GIVEN}
    assert tracing(exporting=False).begin({}) is None


@pytest.mark.parametrize(
    ("flag", "settings", "sampled"),
    [
        ("01", {"ratio": 0.0}, True),
        ("00", {"ratio": 1.0}, False),
        ("01", {"ratio": 0.0, "parent_based": False}, False),
        ("00", {"ratio": 1.0, "parent_based": False}, True),
    ],
)
def test_a_trusted_client_decides_for_its_trace_unless_told_otherwise(
    flag: str, settings: dict[str, Any], sampled: bool
) -> None:
    context = begun({"traceparent": f"00-{TRACE}-{SPAN}-{flag}"}, **settings)
    assert (context.trace_id, context.sampled, context.recorded) == (TRACE, sampled, sampled)


def test_a_client_that_is_not_trusted_gets_a_trace_of_ours() -> None:
    context = begun({"traceparent": GIVEN, "tracestate": "a=b"}, trust_clients=False, ratio=1.0)
    assert context.trace_id != TRACE
    assert (context.parent_span_id, context.tracestate) == (None, None)


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.5, 1.0])
def test_so_many_of_the_traces_that_begin_here_are_sampled(ratio: float) -> None:
    source = tracing(ratio=ratio)
    contexts = [source.begin({}) for _ in range(3000)]
    share = sum(each is not None and each.recorded for each in contexts) / 3000
    assert share == pytest.approx(ratio, abs=0.02)
    assert {each.probability for each in contexts if each is not None} == {ratio}
    assert len({each.trace_id for each in contexts if each is not None}) == 3000


def test_the_sdks_sampler_would_decide_the_same() -> None:
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    source, sampler = tracing(ratio=0.3), TraceIdRatioBased(0.3)
    for _ in range(500):
        context = source.begin({})
        assert context is not None
        theirs = sampler.should_sample(None, int(context.trace_id, 16), "request").decision
        assert context.sampled is (theirs is Decision.RECORD_AND_SAMPLE)


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**33))
def test_no_span_id_is_zero(base: int, number: int) -> None:
    context = TraceContext(TRACE, f"{base:016x}", True, True)
    span_id = context.attempt_span_id(number)
    assert len(span_id) == 16
    assert int(span_id, 16) != 0
