"""The streaming contract: what is passed on, when it is committed, and how a stream that breaks off ends."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from tests.router_e2e.fake_upstream import CLOSE, HANG, RESET, FakeUpstream, Script
from tests.router_e2e.harness import Harness, attempts, eventually, serving
from tests.router_e2e.scripts import (
    DONE,
    FINISH,
    LAST,
    USAGE,
    USAGE_EVENT,
    event,
    framed,
    head,
    in_pieces,
    streams,
    whole_stream,
    word,
)
from tests.router_e2e.world import policy, provider, timeouts

START = event({"role": "assistant", "content": ""})
CLIENT_SEES = b"".join([START, word("hel"), word("lo"), FINISH, DONE])
ASKS = {"stream": True, "stream_options": {"include_usage": True}}
UTF8 = [
    START,
    word("naïve €😀"),
    'data: {"choices":[{"index":0,"delta":{"content":"€😀"}}]}\n\n'.encode(),
    FINISH,
    DONE,
]


async def stream(upstream: FakeUpstream, script: Script, **fields: Any) -> tuple[Any, dict[str, Any], Harness]:
    """The reply to a streamed request that is answered by ``script``, and its record."""
    upstream.plays(script)
    chosen = policy("acme/small", timeouts=timeouts(idle=1))
    async with serving(provider(upstream.url), chosen, max_event_bytes=64 * 1024) as router:
        reply = await router.chat(**({"stream": True} | fields))
        return reply, await router.record(reply), router


FRAMING: list[tuple[str, Script, bytes]] = [
    ("event by event", streams(), CLIENT_SEES),
    ("all at once", streams(b"".join(whole_stream())), CLIENT_SEES),
    ("byte by byte", streams(*in_pieces(b"".join(whole_stream()), 1)), CLIENT_SEES),
    ("in sevens", streams(*in_pieces(b"".join(whole_stream()), 7)), CLIENT_SEES),
    ("characters cut in two", streams(*in_pieces(b"".join(UTF8), 3)), b"".join(UTF8)),
    ("CRLF", streams(b"".join(whole_stream()).replace(b"\n", b"\r\n")), CLIENT_SEES.replace(b"\n", b"\r\n")),
    (
        "CRLF byte by byte",
        streams(*in_pieces(b"".join(whole_stream()).replace(b"\n", b"\r\n"), 1)),
        CLIENT_SEES.replace(b"\n", b"\r\n"),
    ),
    (
        "comments between",
        streams(START, b": alive\n\n", word("x"), FINISH, DONE),
        START + b": alive\n\n" + word("x") + FINISH + DONE,
    ),
    (
        "comments before the first event",
        streams(*in_pieces(b": alive\n\n" * 20, 3), START, FINISH, DONE),
        b": alive\n\n" * 20 + START + FINISH + DONE,
    ),
    (
        "named events and ids",
        streams(b"event: message\nid: 1\n" + START, FINISH, DONE),
        b"event: message\nid: 1\n" + START + FINISH + DONE,
    ),
    (
        "data over two lines",
        streams(b'data: {"choices":\ndata: []}\n\n', FINISH, DONE),
        b'data: {"choices":\ndata: []}\n\n' + FINISH + DONE,
    ),
    (
        "no space after the colon",
        streams(START.replace(b"data: ", b"data:"), FINISH, DONE),
        START.replace(b"data: ", b"data:") + FINISH + DONE,
    ),
    ("no DONE after the finish", streams(START, FINISH), START + FINISH + DONE),
    ("no DONE after the usage", streams(START, FINISH, USAGE_EVENT), START + FINISH + DONE),
    ("a finish twice", streams(START, FINISH, FINISH, DONE), START + FINISH + FINISH + DONE),
    ("DONE twice", streams(START, FINISH, DONE + DONE), START + FINISH + DONE),
    ("words after DONE", streams(START, FINISH, DONE + word("late")), START + FINISH + DONE),
    ("a body that never ends after DONE", [*streams(START, FINISH, DONE, ends=False), HANG], START + FINISH + DONE),
    ("a reset after DONE", [*streams(START, FINISH, DONE, ends=False), RESET], START + FINISH + DONE),
    (
        "a close instead of a length",
        [head().replace(b"Transfer-Encoding: chunked", b"Connection: close"), CLIENT_SEES, CLOSE],
        CLIENT_SEES,
    ),
    ("choices empty at first", streams(event(None), START, FINISH, DONE), event(None) + START + FINISH + DONE),
    (
        "usage on every chunk",
        streams(event({"content": "a"}, usage=USAGE), FINISH, DONE),
        event({"content": "a"}, usage=USAGE) + FINISH + DONE,
    ),
]


@pytest.mark.parametrize(("script", "seen"), [case[1:] for case in FRAMING], ids=[case[0] for case in FRAMING])
async def test_events_pass_whole_and_unchanged_however_they_arrive(
    upstream: FakeUpstream, script: Script, seen: bytes
) -> None:
    reply, record, _ = await stream(upstream, script)
    assert (reply.status, reply.body) == (200, seen)
    assert (record["outcome"], record["status"]) == ("Succeeded", 200)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-cache", "no")


async def test_the_usage_chunk_reaches_a_client_that_asked_for_it(upstream: FakeUpstream) -> None:
    reply, record, _ = await stream(upstream, streams(), **ASKS)
    assert reply.body == b"".join(whole_stream())
    assert record["usage"] == {"inputTokens": 10, "outputTokens": 5}


async def test_usage_is_estimated_where_the_provider_reports_none(upstream: FakeUpstream) -> None:
    _, record, _ = await stream(upstream, streams(START, word("x" * 40), FINISH, DONE))
    assert record["usage"] == {"inputTokens": 5, "outputTokens": 10, "estimated": True}
    assert record["costMicroUsd"] == 5 + 10 * 2


CUTS: list[tuple[str, Script]] = [
    ("a reset", [*streams(START, word("hello!"), ends=False), RESET]),
    ("a close without the end of the body", [*streams(START, word("hello!"), ends=False), CLOSE]),
    ("a clean end without a finish", streams(START, word("hello!"))),
    (
        "a close that ends a body without length",
        [head().replace(b"Transfer-Encoding: chunked", b"Connection: close"), START, word("hello!"), CLOSE],
    ),
    ("half an event, then the end", streams(START, word("hello!"), FINISH[:-20])),
    ("silence", [*streams(START, word("hello!"), ends=False), HANG]),
    ("an error event", streams(START, word("hello!"), b'data: {"error":{"message":"words","code":"x"}}\n\n', DONE)),
    ("garbage", streams(START, word("hello!"), b"data: {]\n\n", DONE)),
    ("an event without end", streams(START, word("hello!"), *[b"data: " + b"x" * 50_000] * 4)),
    ("one giant event", streams(START, word("hello!"), word("y" * 200_000), FINISH, DONE)),
    ("broken chunked coding", [*streams(START, word("hello!"), ends=False), b"zz\r\n", HANG]),
]


async def test_half_an_event_behind_the_finish_is_a_break_and_a_comment_is_none(upstream: FakeUpstream) -> None:
    reply, record, _ = await stream(upstream, streams(START, FINISH, USAGE_EVENT[:-20]), **ASKS)
    assert json.loads(reply.events[-1])["error"]["code"] == "upstream_stream_interrupted"
    assert record["outcome"] == "Truncated"


@pytest.mark.parametrize("rest", [b": alive\n", b"\n", b"data: [DONE]\n", b"data: [DONE]"])
async def test_what_says_nothing_may_be_cut_off_behind_the_finish(upstream: FakeUpstream, rest: bytes) -> None:
    reply, record, _ = await stream(upstream, streams(START, FINISH, rest))
    assert reply.body == START + FINISH + DONE
    assert record["outcome"] == "Succeeded"


@pytest.mark.parametrize("script", [case[1] for case in CUTS], ids=[case[0] for case in CUTS])
async def test_a_stream_that_breaks_off_ends_in_a_typed_error_and_is_billed_for_what_there_was(
    upstream: FakeUpstream, other: FakeUpstream, script: Script
) -> None:
    reply, record, router = await stream(upstream, script)
    *before, last = reply.events
    assert [json.loads(each)["choices"][0]["delta"]["content"] for each in before] == ["", "hello!"]
    error = json.loads(last)["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_stream_interrupted")
    assert "words" not in error["message"]
    assert b"[DONE]" not in reply.body
    assert (record["outcome"], record["status"], record["error"]) == ("Truncated", 200, "upstream_stream_interrupted")
    assert attempts(record) == [("acme/small", "Truncated", "upstream_stream_interrupted")]
    assert record["usage"] == {"inputTokens": 5, "outputTokens": 2, "estimated": True}
    assert record["costMicroUsd"] == 5 + 2 * 2
    assert len(upstream.received) == 1
    assert router.in_flight == 0


async def test_nothing_is_committed_before_the_first_event_and_each_event_is_passed_on_at_once(
    upstream: FakeUpstream,
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    upstream.plays([head(), first, framed(START), second, *map(framed, [word("x"), FINISH, DONE]), LAST])
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": True})
        asked = asyncio.create_task(router.session.post(f"{router.url}/v1/chat/completions", data=body))
        await upstream.arrived()
        assert not asked.done()
        first.set()
        async with await asked as response:
            assert await response.content.readuntil(b"\n\n") == START
            second.set()
            assert await response.content.read() == word("x") + FINISH + DONE


async def test_a_slow_reader_ends_with_the_total_timeout_and_is_not_blamed_on_the_provider(
    upstream: FakeUpstream,
) -> None:
    upstream.default = streams(START, *[word("x" * 60_000)] * 1000, FINISH, DONE)
    chosen = policy("acme/small", timeouts=timeouts(total=1))
    async with serving(provider(upstream.url), chosen) as router:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", router.running.port))
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
        request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        await asyncio.get_running_loop().sock_sendall(sock, request + body)
        record = await router.newest_record()
        sock.close()
        assert record["outcome"] == "Cancelled"
        assert router.running.context.pipeline.breakers.of("team/acme/small", "main").window.failures == 0
        await eventually(lambda: router.in_flight == 0, "no request in flight")
        await upstream.received[0].client_gone()


async def test_after_a_stream_that_was_cut_the_same_connection_serves_the_next_request(upstream: FakeUpstream) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        serving(provider(upstream.url), policy("acme/small")) as router,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        one_connection = Harness(router.running, session)
        for _ in range(5):
            upstream.plays(streams(START))
            assert b"upstream_stream_interrupted" in (await one_connection.chat(stream=True)).body
        assert (await one_connection.chat()).status == 200
