"""How one router goes: readiness first, nothing lost, connections told, streams cut only at the very end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from fairlead_contract.fragments import Simulated
from tests.router_e2e import world
from tests.router_e2e.harness import Harness, eventually, serving

SLOW = Simulated(first_byte_milliseconds=300, per_token_milliseconds=0)
ENDLESS = Simulated(first_byte_milliseconds=0, per_token_milliseconds=20, output_tokens=10_000)


def simulated(how: Simulated) -> tuple[object, object]:
    provider = world.provider((), "sim", type="Simulated", simulated=how, models=(world.model("one"),))
    return provider, world.policy("sim/one")


@pytest.fixture
async def slow() -> AsyncIterator[Harness]:
    async with serving(*simulated(SLOW), shutdown_seconds=10) as harness:  # type: ignore[arg-type]
        yield harness


@pytest.fixture
async def endless() -> AsyncIterator[Harness]:
    async with serving(*simulated(ENDLESS), shutdown_seconds=0.3) as harness:  # type: ignore[arg-type]
        yield harness


async def raw(harness: Harness) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", harness.running.port)


def request(**fields: object) -> bytes:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]} | fields).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def test_readiness_says_no_first_and_requests_are_served_for_the_time_of_notice(slow: Harness) -> None:
    leaving = slow.running.context.leaving
    leaving.notice_seconds = 30
    going = asyncio.create_task(slow.running.leave())
    await eventually(lambda: leaving.announced, "the announcement")
    assert (await slow.request("GET", "/health/ready")).status == 503
    assert (await slow.request("GET", "/healthz")).status == 200
    answer = await slow.chat()
    assert answer.status == 200
    assert answer.headers.get("Connection", "keep-alive") == "keep-alive"
    leaving.hurry()
    await going


async def test_an_answer_in_flight_ends_and_tells_its_client_to_close(slow: Harness) -> None:
    answering = asyncio.create_task(slow.chat())
    await eventually(lambda: slow.in_flight == 1, "the request")
    going = asyncio.create_task(slow.running.leave())
    answer = await answering
    assert answer.status == 200
    assert answer.headers["Connection"] == "close"
    await going
    with pytest.raises(aiohttp.ClientConnectorError):
        await slow.chat()


async def test_a_kept_connection_may_send_one_more_request_which_is_its_last(slow: Harness) -> None:
    reader, writer = await raw(slow)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in await reader.readuntil(b"ok\n")
    going = asyncio.create_task(slow.running.leave())
    await eventually(lambda: slow.running.context.leaving.closing, "it to close")
    done, _ = await asyncio.wait({going}, timeout=0.2)
    assert not done, "whoever closes at once crosses with a request"
    writer.write(request())
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer
    writer.close()
    await going


async def test_what_waits_in_the_queue_of_the_listener_is_served(slow: Harness) -> None:
    clients = [await raw(slow) for _ in range(40)]
    for _, writer in clients:
        writer.write(request())
    going = asyncio.create_task(slow.running.leave())
    answers = await asyncio.gather(*(reader.read() for reader, _ in clients))
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}
    for _, writer in clients:
        writer.close()
    await going


async def test_an_idle_connection_is_closed_and_keeps_nobody_waiting(slow: Harness) -> None:
    reader, writer = await raw(slow)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"ok\n")
    async with asyncio.timeout(8):
        await slow.running.leave()
    writer.close()


async def test_a_stream_that_takes_too_long_is_cut_with_an_error_and_the_provider_is_not_blamed(
    endless: Harness,
) -> None:
    answering = asyncio.create_task(endless.chat(stream=True))
    await eventually(lambda: endless.in_flight == 1, "the stream")
    await endless.running.leave()
    answer = await answering
    assert json.loads(answer.events[-1])["error"]["code"] == "router_stopping"
    assert b"[DONE]" not in answer.body
    record = await endless.record(answer)
    assert (record["outcome"], record["error"]) == ("Cancelled", "router_stopping")
    assert endless.breaker("sim/one") == "Closed"


async def test_in_a_hurry_streams_are_cut_at_once() -> None:
    async with serving(*simulated(ENDLESS), shutdown_seconds=600) as harness:  # type: ignore[arg-type]
        answering = asyncio.create_task(harness.chat(stream=True))
        await eventually(lambda: harness.in_flight == 1, "the stream")
        going = asyncio.create_task(harness.running.leave())
        await eventually(lambda: harness.running.context.leaving.closing, "it to close")
        harness.running.context.leaving.hurry()
        assert b"router_stopping" in (await answering).body
        await going
