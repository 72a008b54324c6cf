"""Attempts that fail before anything reached the client: what is tried next, and what the client is told in the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fairlead_contract.fragments import Retries
from tests.router_e2e.fake_upstream import CLOSE, HANG, RESET, FakeUpstream, Script
from tests.router_e2e.harness import attempts, serving
from tests.router_e2e.scripts import DONE, answers, completion, fails, framed, head, http, says, streams, whole_stream
from tests.router_e2e.world import NEVER_OPENS, endpoint, policy, provider, timeouts

ERROR_BODY = json.dumps({"error": {"message": "hidden words", "type": "server_error", "code": "boom"}}).encode()
HALF = http(200, json.dumps(completion()).encode())[:-20]

BROKEN: list[tuple[str, Script, str, str, int]] = [
    # name, script, outcome, error of the attempt, status if it is the last
    ("500", fails(500), "Failed", "server_error", 502),
    ("502 without JSON", says(502, b"<html>bad gateway</html>", "text/html"), "Failed", "server_error", 502),
    ("503", fails(503), "Failed", "server_error", 502),
    ("529 overloaded", fails(529), "Failed", "overloaded", 502),
    ("408", fails(408), "TimedOut", "timeout_status", 504),
    ("401", fails(401, "invalid_api_key"), "Failed", "credential_refused", 502),
    ("403", fails(403), "Failed", "credential_refused", 502),
    ("404", fails(404, "model_not_found"), "Failed", "not_found_upstream", 502),
    ("429", fails(429), "RateLimited", "rate_limited", 429),
    ("429 without quota", fails(429, "insufficient_quota"), "RateLimited", "insufficient_quota", 429),
    ("redirect", says(302, b"", location="http://127.0.0.1:1/v1/chat/completions"), "Failed", "redirect_refused", 502),
    ("reset before headers", [RESET], "Failed", "no_answer", 502),
    ("close before headers", [CLOSE], "Failed", "no_answer", 502),
    ("reset after headers", [HALF, RESET], "Failed", "answer_cut", 502),
    ("close in the body", [HALF, CLOSE], "Failed", "answer_cut", 502),
    ("garbage for HTTP", [b"\x00\x01 garbage\r\n\r\n", CLOSE], "Failed", "no_answer", 502),
    ("garbage for JSON", says(200, b"\xff{]"), "Failed", "answer_not_understood", 502),
    ("deeply nested garbage", says(200, b'{"choices":' + b"[" * 100_000), "Failed", "answer_not_understood", 502),
    ("nothing", says(200, b""), "Failed", "answer_not_understood", 502),
    ("HTML", says(200, b"<html></html>", "text/html"), "Failed", "answer_not_understood", 502),
    ("JSON that is no answer", says(200, b'{"ok":true}'), "Failed", "answer_without_choices", 502),
    ("an error dressed as success", says(200, ERROR_BODY), "Failed", "error_in_success", 502),
    ("a header without end", [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, CLOSE], "Failed", "no_answer", 502),
]


@pytest.mark.parametrize(("script", "outcome", "error", "status"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_broken_provider_is_passed_over_for_the_next(
    upstream: FakeUpstream, other: FakeUpstream, stream: bool, script: Script, outcome: str, error: str, status: int
) -> None:
    if (stream and error.startswith("answer")) or error == "error_in_success":
        error = "not_an_event_stream" if stream else error
    upstream.default = script
    other.default = streams() if stream else answers("from the other")
    one, two = provider(upstream.url), provider(other.url, "zenith")
    async with serving(
        one, two, policy("acme/small", "zenith/small"), policy("acme/small", name="b", models=("b",))
    ) as router:
        saved = await router.chat(stream=stream)
        assert saved.status == 200, saved.body
        record = await router.record(saved)
        assert attempts(record) == [("acme/small", outcome, error), ("zenith/small", "Succeeded", None)]
        assert record["outcome"] == "Succeeded"

        lost = await router.chat("b", stream=stream)
        assert (lost.status, lost.headers["content-type"].split(";")[0]) == (status, "application/json")
        assert lost.error_code in {"upstream_error", "upstream_timeout", "upstream_rate_limited"}
        assert b"words" not in lost.body
        record = await router.record(lost)
        assert attempts(record) == [("acme/small", outcome, error)]
        assert record["status"] == status
        await router.idle()


BROKEN_STREAMS: list[tuple[str, Script, str]] = [
    ("empty", [head(), b"0\r\n\r\n"], "empty_stream"),
    ("comments only", streams(b": hello\n\n", b": hello\n\n"), "empty_stream"),
    ("the end of nothing", streams(b"data: [DONE]\n\n"), "empty_stream"),
    ("broken chunked coding", [head(), b"zz\r\n", HANG], "answer_cut"),
    ("cut before the first event", [head(), b"5\r\ndata", RESET], "answer_cut"),
    ("an error first", streams(b'data: {"error":{"message":"words","code":"x"}}\n\n'), "error_event"),
    ("a named error event first", streams(b'event: error\ndata: {"error":"words"}\n\n'), "error_event"),
    ("garbage first", streams(b"data: {garbage\n\n"), "event_not_understood"),
    ("invalid UTF-8 first", streams(b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'), "event_not_understood"),
    ("a whole answer instead", answers(), "not_an_event_stream"),
]


@pytest.mark.parametrize(("script", "error"), [case[1:] for case in BROKEN_STREAMS], ids=[c[0] for c in BROKEN_STREAMS])
async def test_a_stream_that_breaks_before_its_first_event_is_begun_anew_elsewhere(
    upstream: FakeUpstream, other: FakeUpstream, script: Script, error: str
) -> None:
    upstream.default, other.default = script, streams()
    fragments = provider(upstream.url), provider(other.url, "zenith"), policy("acme/small", "zenith/small")
    async with serving(*fragments) as router:
        reply = await router.chat(stream=True)
        assert (reply.status, reply.text, reply.events[-1]) == (200, "hello", b"[DONE]")
        assert attempts(await router.record(reply))[0] == ("acme/small", "Failed", error)


HANGS: list[tuple[str, Script, bool, dict[str, int], str]] = [
    ("before headers", [HANG], False, {"total": 1}, "total_timeout"),
    ("in the body", [HALF, HANG], False, {"total": 1}, "total_timeout"),
    ("in an error's body", [fails(500)[0][:-5], HANG], False, {"total": 1}, "total_timeout"),  # type: ignore[index, list-item]
    ("before headers of a stream", [HANG], True, {"first_byte": 1}, "first_byte_timeout"),
    ("before the first event", [head(), framed(b": wait\n\n"), HANG], True, {"first_byte": 1}, "first_byte_timeout"),
]


@pytest.mark.parametrize(("script", "stream", "bounds", "error"), [c[1:] for c in HANGS], ids=[c[0] for c in HANGS])
async def test_a_provider_that_hangs_is_left_for_the_next_and_hung_up_on(
    upstream: FakeUpstream, other: FakeUpstream, script: Script, stream: bool, bounds: dict[str, int], error: str
) -> None:
    upstream.default, other.default = script, streams() if stream else answers()
    chosen = policy("acme/small", "zenith/small", timeouts=timeouts(**bounds))
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        reply = await router.chat(stream=stream)
        assert reply.status == 200
        assert attempts(await router.record(reply))[0] == ("acme/small", "TimedOut", error)
        await upstream.received[0].client_gone()


async def test_the_last_timeout_is_a_504(upstream: FakeUpstream) -> None:
    upstream.default = [HANG]
    chosen = policy("acme/small", retries=Retries(attempts=0, per_attempt_seconds=1))
    async with serving(provider(upstream.url), chosen) as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code) == (504, "upstream_timeout")
        assert (await router.record(reply))["outcome"] == "TimedOut"


async def test_the_total_budget_ends_all_trying(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.default = other.default = [HANG]
    chosen = policy("acme/small", "zenith/small", retries=Retries(attempts=5, total_seconds=1))
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code) == (504, "upstream_timeout")
        assert len(attempts(await router.record(reply))) == 1
        assert other.received == []


async def test_nobody_listening_is_a_failed_connection(other: FakeUpstream) -> None:
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    dead = provider(f"http://127.0.0.1:{port}/v1")
    async with serving(dead, provider(other.url, "zenith"), policy("acme/small", "zenith/small")) as router:
        reply = await router.chat()
        assert attempts(await router.record(reply)) == [
            ("acme/small", "Failed", "connect_failed"),
            ("zenith/small", "Succeeded", None),
        ]


RETRIED: list[tuple[str, list[Script], tuple[str, ...], int]] = [
    ("a server error", [fails(500)], ("ServerError",), 2),
    ("a server error that is not to be retried", [fails(500)], ("ConnectFailure", "Timeout"), 1),
    ("a reset", [[RESET]], ("ServerError",), 2),
    ("a rate limit", [fails(429)], ("RateLimited",), 2),
    ("a rate limit that is not to be retried", [fails(429)], ("ServerError",), 1),
    ("no quota, which waiting does not mend", [fails(429, "insufficient_quota")], ("RateLimited", "ServerError"), 1),
    ("a timeout status", [fails(408)], ("Timeout",), 2),
    ("a refused credential", [fails(401)], ("ServerError", "ConnectFailure"), 1),
    ("garbage", [says(200, b"?")], ("ServerError",), 2),
    ("twice", [fails(500), fails(503)], ("ServerError",), 3),
]


@pytest.mark.parametrize(("scripts", "on", "calls"), [case[1:] for case in RETRIED], ids=[case[0] for case in RETRIED])
async def test_the_same_target_is_tried_again_as_the_policy_says(
    upstream: FakeUpstream, scripts: list[Script], on: tuple[Any, ...], calls: int
) -> None:
    upstream.plays(*scripts)
    chosen = policy("acme/small", retries=Retries(attempts=2, retry_on=on))
    async with serving(provider(upstream.url), chosen) as router:
        reply = await router.chat()
        assert reply.status == 200 or calls == 1
        assert reply.headers["x-fairlead-attempts"] == str(calls)
        assert len(upstream.received) == calls


async def test_attempts_end_where_the_policy_says(upstream: FakeUpstream) -> None:
    upstream.default = fails(500)
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=2))) as router:
        assert (await router.chat()).status == 502
        assert len(upstream.received) == 3


async def test_a_retry_goes_to_another_endpoint_and_to_a_backup_last(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = fails(500)
    places = [endpoint(upstream.url, "a"), endpoint(upstream.url, "b"), endpoint(other.url, "z", backup=True)]
    chosen = policy("acme/small", retries=Retries(attempts=2))
    async with serving(provider(places, circuit_breaker=NEVER_OPENS), chosen) as router:
        reply = await router.chat()
        assert reply.status == 200
        used = [each["endpoint"] for each in (await router.record(reply))["attempts"]]
        assert sorted(used[:2]) == ["a", "b"]
        assert used[2] == "z"


async def test_a_backup_is_left_alone_while_others_work(upstream: FakeUpstream, other: FakeUpstream) -> None:
    places = [endpoint(upstream.url, "a"), endpoint(other.url, "z", backup=True)]
    async with serving(provider(places), policy("acme/small")) as router:
        for _ in range(5):
            assert (await router.chat()).status == 200
        assert other.received == []


async def test_a_short_stream_that_says_it_is_done_is_passed_on(upstream: FakeUpstream) -> None:
    upstream.plays(streams(whole_stream()[0], DONE))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.chat(stream=True)).events[-1] == b"[DONE]"
