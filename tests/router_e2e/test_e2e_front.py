"""The front of the public port on raw sockets: order, bounds, leaving, and what it hands over to aiohttp."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from multidict import CIMultiDict

from fairlead_router.dialect.operations import Operation
from fairlead_router.http.client import Client, Reply
from fairlead_router.http.connections import BoundedServer
from fairlead_router.http.front import Front, FrontServer
from fairlead_router.http.leaving import Leaving
from fairlead_router.http.plain import MAX_BYTES, HeadLimits
from tests.router_e2e.fake_upstream import HANG, FakeUpstream, Received, Script
from tests.router_e2e.harness import Harness, eventually, serving
from tests.router_e2e.raw_http import RawConnection, chat_head, raw_connection
from tests.router_e2e.scripts import (
    answers,
    completion,
    framed,
    gated_stream,
    head,
    http,
    streams,
    whole_stream,
    word,
)
from tests.router_e2e.world import policy, provider

MODELS = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


def chat(**fields: object) -> bytes:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]} | fields).encode()
    return chat_head(f"Content-Length: {len(body)}") + body


def server_of(router: Harness) -> BoundedServer:
    server = router.running.public.server
    assert isinstance(server, BoundedServer)
    return server


def fronts(router: Harness) -> list[Front]:
    front = server_of(router).front
    assert front is not None
    return list(front.connections)


def said(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


async def streamed(connection: RawConnection) -> bytes:
    """The body of an answer in chunks, whose framing must be whole."""
    answer = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10)
    assert b"transfer-encoding: chunked" in answer.lower(), answer
    body = b""
    while size := int(await asyncio.wait_for(connection.reader.readline(), 10), 16):
        body += await connection.reader.readexactly(size)
        assert await connection.reader.readexactly(2) == b"\r\n"
    assert await connection.reader.readexactly(2) == b"\r\n"
    return body


@pytest.fixture
async def router(upstream: FakeUpstream) -> AsyncIterator[Harness]:
    async with serving(provider(upstream.url), policy("acme/small")) as running:
        yield running


# ------------------------------------------------------------------------------------------------ order


async def test_a_connection_may_alternate_between_what_is_plain_and_what_is_not(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), max_connections=1) as router:
        async with raw_connection(router) as connection:
            for request in (chat(), MODELS, chat(), MODELS):
                await connection.send(request)
                assert (await connection.answer())[0] == 200
                assert server_of(router).open == 1, "one connection, whoever serves it"
            assert not fronts(router), "it was handed over"
        await eventually(lambda: server_of(router).open == 0, "its place is free")
    assert len(upstream.received) == 2


async def test_a_plain_request_may_arrive_a_byte_at_a_time(router: Harness, upstream: FakeUpstream) -> None:
    async with raw_connection(router) as connection:
        for byte in chat():
            await connection.send(bytes([byte]))
        assert (await connection.answer())[0] == 200
        await connection.send(chat())
        assert (await connection.answer())[0] == 200
    assert len(upstream.received) == 2


async def test_of_three_pipelined_requests_the_second_may_be_a_stream(router: Harness, upstream: FakeUpstream) -> None:
    upstream.plays(answers("one"), streams(), answers("three"))
    async with raw_connection(router) as connection:
        await connection.send(chat() + chat(stream=True) + chat())
        assert said((await connection.answer())[2]) == "one"
        assert (await streamed(connection)).endswith(b"data: [DONE]\n\n")
        assert said((await connection.answer())[2]) == "three"


async def test_what_is_not_plain_waits_for_the_answer_before_it(router: Harness, upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays([gate, *answers("one")], answers("two"))
    async with raw_connection(router) as connection:
        await connection.send(chat())
        await upstream.arrived()
        await connection.send(MODELS + chat()[:20])
        await connection.send(chat()[20:])
        gate.set()
        assert said((await connection.answer())[2]) == "one"
        assert json.loads((await connection.answer())[2])["object"] == "list"
        assert said((await connection.answer())[2]) == "two"


async def test_a_connection_that_sent_too_far_ahead_is_handed_over_whole(
    router: Harness, upstream: FakeUpstream
) -> None:
    gate = asyncio.Event()
    upstream.plays([gate, *answers("one")])
    async with raw_connection(router) as connection:
        sending = asyncio.create_task(connection.send(chat() + MODELS + chat(user="x" * 100_000) * 20))
        await eventually(lambda: any(each._paused for each in fronts(router)), "it reads no further")
        gate.set()
        assert said((await connection.answer())[2]) == "one"
        assert json.loads((await connection.answer())[2])["object"] == "list"
        for _ in range(20):
            assert said((await connection.answer())[2]) == "hello"
        await sending


async def test_garbage_behind_a_plain_request_is_refused_after_its_answer(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat() + b"\x16\x03\x01 garbage\r\n\r\n" + chat())
        assert (await connection.answer())[0] == 200
        assert await connection.error() == (400, "malformed_http")
        assert await connection.reader.read() == b""


# ------------------------------------------------------------------------------------------------ bounds


@asynccontextmanager
async def deaf(router: Harness) -> AsyncIterator[socket.socket]:
    """A connection that reads only when asked to."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", router.running.port))
        yield sock


async def test_answers_that_nobody_reads_do_not_pile_up(upstream: FakeUpstream) -> None:
    count = 200
    upstream.default = answers("x" * 60_000)
    async with serving(provider(upstream.url), policy("acme/small")) as router, deaf(router) as sock:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, chat() * count + MODELS)
        await eventually(lambda: any(each._drained is not None for each in fronts(router)), "its buffers are full")
        front = fronts(router)[0]
        async with raw_connection(router) as other:
            for _ in range(20):
                await other.send(chat())
                assert (await other.answer())[0] == 200
        assert front._transport.get_write_buffer_size() < 3 * 65_536
        assert len(upstream.received) < count
        received = b""
        while b'"object":"list"' not in received[-4096:]:
            received += await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 10)
        assert received.count(b"HTTP/1.1 200 OK\r\n") == count + 1


async def test_requests_sent_ahead_are_read_no_faster_than_they_are_answered(
    router: Harness, upstream: FakeUpstream
) -> None:
    most = 0

    def look(received: Received) -> Script:
        nonlocal most
        most = max(most, *(len(front._buffer) for front in fronts(router)))
        return answers()

    upstream.default = look
    async with raw_connection(router) as connection:
        sending = asyncio.create_task(connection.send(chat() * 40_000))
        for _ in range(60):
            assert (await connection.answer())[0] == 200
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert MAX_BYTES < most < 3 * MAX_BYTES


async def test_a_client_that_hangs_up_in_line_or_while_it_is_answered_has_one_record(upstream: FakeUpstream) -> None:
    size = 20_000_000  # more than the kernel takes on its way
    upstream.plays([http(200, json.dumps(completion("x" * size)).encode())])
    async with serving(provider(upstream.url), policy("acme/small"), max_concurrent_requests=1) as router:
        admission = router.running.context.pipeline.admission
        async with deaf(router) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, chat())
            await eventually(lambda: any(each._drained is not None for each in fronts(router)), "it is answered")
            async with raw_connection(router) as waiting:
                await waiting.send(chat())
                await eventually(lambda: admission.queued == 1, "the second is in line")
            await eventually(lambda: admission.queued == 0, "it has left the line")
        await router.idle()
        await eventually(lambda: server_of(router).open == 0, "nobody is there")
        record = await router.newest_record()
        assert (record["status"], record["outcome"]) == (499, "Cancelled")
        for model in ("team/acme/small", "none"):  # what left the line has a count and no record: nothing was decided
            assert await router.metric("model_router_requests_total", model=model, status="499") == 1
        assert admission.in_flight == admission.buffers.held == 0


async def test_an_idle_connection_is_closed_though_its_client_left_some_of_its_answer_unread(
    upstream: FakeUpstream,
) -> None:
    upstream.default = answers("x" * 15_000)
    settings = {"stalled_seconds": 0.2}
    async with serving(provider(upstream.url), policy("acme/small"), **settings) as router, deaf(router) as sock:
        loop = asyncio.get_running_loop()
        await eventually(lambda: len(fronts(router)) == 1, "it is connected")
        front = fronts(router)[0]
        while not front._transport.get_write_buffer_size():
            count = len(upstream.received) + 1
            await loop.sock_sendall(sock, chat())
            await eventually(lambda count=count: len(upstream.received) == count, "it was asked")  # type: ignore[misc]
            await eventually(lambda: not front.busy, "it was answered")
        front._server.keepalive_seconds = 0
        front._close_if_idle()
        await eventually(lambda: server_of(router).open == 0, "its place is free")


# ------------------------------------------------------------------------------------------------ leaving


async def test_a_stream_that_began_before_the_router_left_leaves_its_connection_open(
    router: Harness, upstream: FakeUpstream
) -> None:
    gate = asyncio.Event()
    upstream.plays(gated_stream(gate))
    async with raw_connection(router) as connection:
        await connection.send(chat(stream=True))
        await upstream.arrived()
        await eventually(lambda: router.in_flight == 1, "the stream")
        assert b"Connection" not in await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10)
        going = asyncio.create_task(router.running.leave())
        await eventually(lambda: router.running.context.leaving.closing, "it to close")
        gate.set()
        await connection.reader.readuntil(b"\r\n0\r\n\r\n")
        await connection.send(chat())
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await connection.reader.read() == b""
        await going


async def test_a_slow_reader_of_a_stream_that_is_cut_is_told_so(upstream: FakeUpstream) -> None:
    many = [framed(word("x" * 100_000))] * 200
    upstream.default = [head(), *many, HANG]
    async with serving(provider(upstream.url), policy("acme/small"), shutdown_seconds=0.1) as router:
        async with deaf(router) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, chat(stream=True))
            await eventually(lambda: any(each._drained is not None for each in fronts(router)), "its buffers are full")
            going = asyncio.create_task(router.running.leave())
            await eventually(lambda: router.running.context.pipeline._dispatcher.attempts.deadlines.stopping, "the cut")
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                part = await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 10)
                assert part, "the framing is whole"
                received += part
            assert b"router_stopping" in received[-1000:]
            await going
        record = await router.newest_record()
        assert (record["outcome"], record["error"]) == ("Cancelled", "router_stopping")


# ------------------------------------------------------------------------------------------------ failures


@asynccontextmanager
async def front_that(serve: Callable[[Client, Operation], Awaitable[Reply | None]]) -> AsyncIterator[RawConnection]:
    """A connection to a front with handlers of its own."""
    shared = FrontServer(
        serve,
        Leaving(),
        asyncio.Protocol,
        heads=HeadLimits(8190, 100),
        keepalive_seconds=75,
        stalled_seconds=20,
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Front(shared, lambda transport: "", lambda address: None), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        server.close()
        await shared.shutdown(1)


async def test_an_answer_never_ends_in_another_one() -> None:
    async def serve(client: Client, operation: Operation) -> Reply | None:
        stream = await client.open_stream({})
        await stream.write(whole_stream()[0])
        return Reply(500, CIMultiDict(), b"{}")

    async with front_that(serve) as connection:
        await connection.send(chat())
        received = await asyncio.wait_for(connection.reader.read(), 10)
        assert received.count(b"HTTP/1.1") == 1
        assert not received.endswith(b"0\r\n\r\n"), "it must not look complete"


async def test_a_stream_in_which_nothing_was_written_is_an_empty_answer_and_the_next_is_served() -> None:
    async def serve(client: Client, operation: Operation) -> Reply | None:
        await (await client.open_stream({"X-A": "ü"})).write_eof()
        return None

    async with front_that(serve) as connection:
        for _ in range(2):
            await connection.send(chat())
            assert await streamed(connection) == b""
