"""A client that goes away: its provider is hung up on, what was used is charged, and nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fairlead_contract.fragments import CircuitBreaker, Retries
from tests.router_e2e.fake_upstream import HANG, FakeUpstream, Script
from tests.router_e2e.harness import HELLO, Harness, attempts, eventually, serving
from tests.router_e2e.scripts import event, fails, framed, head, http, streams, word
from tests.router_e2e.world import policy, provider

START = event({"role": "assistant", "content": ""})


@asynccontextmanager
async def caller(router: Harness, **fields: object) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A raw connection on which a chat request has been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", router.running.port)
    body = json.dumps({"model": "auto", "messages": HELLO} | fields).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def hang_up(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """Close the connection, or reset it."""
    if reset:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


MOMENTS: list[tuple[str, bool, Script, bytes, int]] = [
    # name, streamed, script, what the client reads before it goes, output tokens billed
    ("before headers", False, [HANG], b"", 0),
    ("in the middle of a whole answer", False, [http(200, b"x" * 100)[:-50], HANG], b"", 0),
    ("before headers of a stream", True, [HANG], b"", 0),
    ("before the first event", True, [head(), framed(b": hi\n\n"), HANG], b"", 0),
    ("in mid-stream", True, [*streams(START, word("x" * 40), ends=False), HANG], b"xxx", 10),
]


@pytest.mark.parametrize(("stream", "script", "reads", "tokens"), [m[1:] for m in MOMENTS], ids=[m[0] for m in MOMENTS])
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
async def test_hanging_up_cancels_the_provider_and_charges_what_was_used(
    upstream: FakeUpstream, stream: bool, script: Script, reads: bytes, tokens: int, reset: bool
) -> None:
    upstream.plays(script)
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=3))) as router:
        async with caller(router, stream=stream) as (reader, writer):
            await upstream.arrived()
            if reads:
                await reader.readuntil(reads)
            hang_up(writer, reset=reset)
            await upstream.received[0].client_gone()
        record = await router.newest_record()
        assert (record["outcome"], record["status"], record["error"]) == ("Cancelled", 499, "client_closed_request")
        assert attempts(record) == [("acme/small", "Cancelled", "client_closed_request")]
        usage = {"inputTokens": 5, "estimated": True} | ({"outputTokens": tokens} if tokens else {})
        assert record["usage"] == usage
        assert record["costMicroUsd"] == 5 + 2 * tokens
        await router.idle()
        assert len(upstream.received) == 1
        assert await router.metric("model_router_requests_total", model="team/acme/small", status="499") == 1


async def test_hanging_up_while_waiting_to_try_again_ends_the_request(upstream: FakeUpstream) -> None:
    upstream.default = fails(429, retry_after="60")
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=1))) as router:
        async with caller(router):
            await (await upstream.arrived()).over.wait()
            await eventually(lambda: router.breaker("acme/small") == "Open", "the wait is known")
        record = await router.newest_record()
        assert (record["outcome"], record["status"]) == ("Cancelled", 499)
        await router.idle()


async def test_hanging_up_while_sending_ends_the_request_unrecorded(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        _, writer = await asyncio.open_connection("127.0.0.1", router.running.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await eventually(lambda: router.body_bytes > 0, "the request is seen")
        writer.close()
        await writer.wait_closed()
        await router.idle()
        assert await router.metric("model_router_requests_total", model="none", status="499") == 1
        assert (await router.chat()).status == 200


@pytest.mark.parametrize(("stream", "script"), [(False, [HANG]), (True, [*streams(START, ends=False), HANG])])
async def test_a_probe_whose_client_hung_up_gives_its_place_back(
    upstream: FakeUpstream, stream: bool, script: Script
) -> None:
    upstream.plays(fails(429, retry_after_ms="1"), script)
    rules = CircuitBreaker(consecutive_failures=1)
    async with serving(provider(upstream.url, circuit_breaker=rules), policy("acme/small")) as router:
        assert (await router.chat()).status == 429
        await eventually(lambda: router.breaker("acme/small") == "HalfOpen", "the breaker lets a probe through")
        async with caller(router, stream=stream) as (reader, _):
            await upstream.arrived(2)
            if stream:
                await reader.readuntil(b"data: ")
        await upstream.received[1].client_gone()
        await router.idle()
        assert (await router.chat()).status == 200
        assert router.breaker("acme/small") == "Closed"


async def test_a_hundred_clients_that_hang_up_leave_nothing_behind(upstream: FakeUpstream) -> None:
    upstream.default = [*streams(START, ends=False), HANG]
    async with serving(provider(upstream.url), policy("acme/small")) as router:

        async def go(stream: bool) -> None:
            async with caller(router, stream=stream):
                await upstream.arrived()

        await asyncio.gather(*(go(bool(number % 2)) for number in range(100)))
        await router.idle()
        await eventually(lambda: all(each.hung_up.is_set() for each in upstream.received), "all are hung up on")
