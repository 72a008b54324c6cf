"""The transport to providers, against a server that says any bytes."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from fairlead_router.dispatch.transport.base import Answer, CallFailed, CallTimedOut
from fairlead_router.dispatch.transport.connection import Connection
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.settings import Settings, networks
from tests.router_e2e.fake_upstream import CLOSE, HANG, RESET, FakeUpstream, Script
from tests.router_e2e.harness import eventually

HEADERS: CIMultiDict[str] = CIMultiDict({"Content-Type": "application/json", "Authorization": "Bearer k"})
SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def transport(**settings: Any) -> AsyncIterator[Http1Transport]:
    made = Http1Transport(Settings(**({"allow_networks": networks("loopback")} | settings)))
    try:
        yield made
    finally:
        await made.close()


async def ask(
    to: Http1Transport,
    upstream: FakeUpstream,
    body: bytes = b"{}",
    *,
    headers: CIMultiDict[str] = HEADERS,
    extra: Sequence[tuple[str, str]] = (),
) -> Answer:
    return await to.request("POST", URL(f"{upstream.url}/chat"), headers, body, connect_seconds=5, extra=extra)


async def whole(to: Http1Transport, upstream: FakeUpstream, body: bytes = b"{}") -> tuple[int, bytes]:
    answer = await ask(to, upstream, body)
    try:
        return answer.status, await answer.read(1 << 24)
    finally:
        answer.close()


FRAMINGS: dict[str, tuple[Script, bytes]] = {
    "a length": ([SMALL], b"hello"),
    "chunks": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"], b"hello"),
    "chunks with extensions and trailers": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-After: 1\r\n\r\n"],
        b"hello",
    ),
    "until the connection closes": ([b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", CLOSE], b"hello"),
    "no body": ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
    "an empty body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], b""),
    "after interim answers": (
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SMALL],
        b"hello",
    ),
    "one byte at a time": ([SMALL[place : place + 1] for place in range(len(SMALL))], b"hello"),
    "HTTP/1.0": ([b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE], b"hello"),
    "a length of many digits": ([b"HTTP/1.1 200 OK\r\nContent-Length: %b5\r\n\r\nhello" % (b"0" * 5000)], b"hello"),
}


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_arrives_whole_however_it_is_framed(upstream: FakeUpstream, framing: str) -> None:
    script, expected = FRAMINGS[framing]
    upstream.plays(script, script)
    async with transport() as to:
        assert (await whole(to, upstream))[1] == expected
        answer = await ask(to, upstream)
        parts = []
        while part := await answer.read_chunk():
            parts.append(part)
        answer.close()
        assert b"".join(parts) == expected


async def test_a_request_has_our_framing_whatever_headers_were_declared(upstream: FakeUpstream) -> None:
    upstream.default = [SMALL]
    declared = CIMultiDict(
        [
            ("Host", "evil"),
            ("Content-Length", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("X-A", "1"),
        ]
    )
    async with transport() as to:
        answer = await ask(to, upstream, b'{"a":1}', headers=declared, extra=[("traceparent", "00-1-2-01")])
        answer.close()
        received = await upstream.arrived()
    assert received.body == b'{"a":1}'
    assert received.headers.getall("content-length") == ["7"]
    assert received.headers.getall("host") == [f"127.0.0.1:{upstream.port}"]
    assert "transfer-encoding" not in received.headers
    assert "connection" not in received.headers
    assert (received.headers["x-a"], received.headers["traceparent"]) == ("1", "00-1-2-01")
    assert received.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("value", ["a\r\nX-Smuggled: 1", "a\nb", "a\0b", "snow\u2603"])
async def test_a_header_that_could_not_be_sent_as_one_is_refused_before_connecting(
    upstream: FakeUpstream, value: str
) -> None:
    async with transport() as to:
        for headers, extra in ((CIMultiDict({"X-A": value}), ()), (HEADERS, (("x-a", value),))):
            with pytest.raises(CallFailed) as raised:
                await ask(to, upstream, headers=headers, extra=extra)
            assert (raised.value.error, raised.value.connected) == ("bad_header", False)
    assert upstream.received == []


async def test_connections_are_used_again_and_each_answer_is_its_own(upstream: FakeUpstream) -> None:
    upstream.plays([SMALL], [b"HTTP/1.1 500 No\r\nContent-Length: 2\r\nX-B: 2\r\n\r\nno"], [SMALL])
    async with transport() as to:
        assert await whole(to, upstream) == (200, b"hello")
        answer = await ask(to, upstream)
        assert (answer.status, answer.header("x-b"), await answer.read(10)) == (500, "2", b"no")
        answer.close()
        assert await whole(to, upstream) == (200, b"hello")
    assert {received.connection for received in upstream.received} == {1}


NOT_USED_AGAIN: dict[str, Script] = {
    "the provider says close": [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "more than was announced": [SMALL + b"more"],
    "a second answer to one request": [SMALL + SMALL],
    "the provider closes afterwards": [SMALL, CLOSE],
}


@pytest.mark.parametrize("why", NOT_USED_AGAIN)
async def test_a_connection_is_not_used_again_when_it_cannot_be_trusted(upstream: FakeUpstream, why: str) -> None:
    upstream.plays(NOT_USED_AGAIN[why], [SMALL])
    async with transport() as to:
        assert await whole(to, upstream) == (200, b"hello")
        await eventually(lambda: not to.has_idle, "the connection is known to be of no use")
        assert await whole(to, upstream) == (200, b"hello")
    assert [received.connection for received in upstream.received] == [1, 2]


async def test_an_answer_that_is_closed_before_its_end_hangs_up(upstream: FakeUpstream) -> None:
    upstream.plays([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", HANG])
    async with transport() as to:
        answer = await ask(to, upstream)
        assert await answer.read_chunk() == b"hello"
        answer.close()
        answer.close()
        await (await upstream.arrived()).client_gone()


BROKEN: dict[str, tuple[Script, str]] = {
    "no answer at all": ([CLOSE], "no_answer"),
    "a reset before the answer": ([RESET], "no_answer"),
    "half a head": ([b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE], "no_answer"),
    "what is no HTTP": ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n", HANG], "no_answer"),
    "a length and chunks at once": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HANG],
        "no_answer",
    ),
    "two lengths": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", HANG], "no_answer"),
    "a head without end": ([b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70_000, HANG], "no_answer"),
    "an upgrade nobody asked for": (
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", HANG],
        "no_answer",
    ),
    "a body cut short": ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", CLOSE], "answer_cut"),
    "a body reset": ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", RESET], "answer_cut"),
    "chunks without an end": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", CLOSE],
        "answer_cut",
    ),
    "a chunk whose length is none": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", HANG],
        "answer_cut",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_what_is_no_whole_answer_is_a_failure_and_its_connection_is_closed(
    upstream: FakeUpstream, how: str
) -> None:
    script, error = BROKEN[how]
    upstream.plays(script, [SMALL])
    async with transport() as to:
        with pytest.raises(CallFailed) as raised:
            await whole(to, upstream)
        assert raised.value.error in {error, "answer_cut" if error == "no_answer" else error}
        assert raised.value.connected
        assert await whole(to, upstream) == (200, b"hello")
    assert upstream.received[1].connection == 2


async def test_a_body_over_the_limit_is_refused_even_if_its_end_came_with_it(upstream: FakeUpstream) -> None:
    upstream.plays([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n%b\r\n0\r\n\r\n" % (b"x" * 20)])
    async with transport() as to:
        answer = await ask(to, upstream)
        with pytest.raises(CallFailed, match="answer_too_large"):
            await answer.read(10)
        answer.close()


async def test_trailers_without_end_are_hung_up_on() -> None:
    gone = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-A: ")
        try:
            while True:
                writer.write(b"a" * (1 << 16))
                await writer.drain()
        except ConnectionError:
            gone.set()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with server, transport() as to:
        answer = await to.request("POST", url, HEADERS, b"", connect_seconds=5)
        with pytest.raises(CallFailed, match="answer_cut"):
            await answer.read(10)
        answer.close()
        await gone.wait()


async def test_a_connection_that_was_lost_before_its_first_request_fails_at_once_and_nothing_was_sent() -> None:
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        _, connection = await loop.create_connection(lambda: Connection(loop), host, port)
        await eventually(lambda: connection.lost, "the connection is lost")
        with pytest.raises(CallFailed) as raised:
            await connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        assert not raised.value.connected


async def test_a_large_body_arrives_in_full(upstream: FakeUpstream) -> None:
    body = bytes(range(256)) * 20_000
    upstream.default = [SMALL]
    async with transport() as to:
        assert await whole(to, upstream, body) == (200, b"hello")
    assert upstream.received[0].body == body


async def test_a_provider_may_answer_before_it_has_read_a_large_body() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    done = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        await done.wait()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with server, transport() as to:
        answer = await to.request("POST", url, HEADERS, b"x" * 50_000_000, connect_seconds=5)
        assert (answer.status, await answer.read(10)) == (413, b"no")
        answer.close()
        done.set()


async def test_a_provider_is_not_read_from_faster_than_the_reader_goes_on() -> None:
    sent = 0
    total = 64 << 20

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        piece = b"x" * (1 << 16)
        while sent < total:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
        writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with server, transport() as to:
        answer = await to.request("POST", url, HEADERS, b"", connect_seconds=5)
        seen = -1
        while seen != sent:  # until the kernel's buffers are full and nothing moves any more
            seen = sent
            await asyncio.sleep(0.2)
        assert sent < total / 2
        received = 0
        while chunk := await answer.read_chunk():
            received += len(chunk)
        assert received == total
        answer.close()


async def test_whoever_finds_all_connections_in_use_waits_in_line(upstream: FakeUpstream) -> None:
    free = asyncio.Event()
    upstream.plays([free, SMALL], [SMALL], [SMALL])
    async with transport(max_upstream_connections=1) as to:
        first = asyncio.create_task(whole(to, upstream))
        await upstream.arrived()
        gone, second, third = (asyncio.create_task(whole(to, upstream)) for _ in range(3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert not second.done()
        free.set()
        assert await asyncio.gather(first, second, third) == [(200, b"hello")] * 3
    assert [received.connection for received in upstream.received] == [1, 1, 1]


async def test_nobody_passes_those_who_wait_for_a_connection(upstream: FakeUpstream) -> None:
    free = asyncio.Event()
    upstream.plays([free, SMALL], *[[SMALL]] * 4)

    async def ask_in_turn(to: Http1Transport, *bodies: bytes) -> None:
        for body in bodies:  # each at once when the one before gives its connection back: who is woken has not run yet
            await whole(to, upstream, body)

    async with transport(max_upstream_connections=1) as to:
        greedy = asyncio.create_task(ask_in_turn(to, b"1", b"4"))
        await upstream.arrived()
        waiting = [asyncio.create_task(whole(to, upstream, body)) for body in (b"2", b"3")]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(greedy, *waiting)
    assert [received.body for received in upstream.received] == [b"1", b"2", b"3", b"4"]


async def test_an_address_that_cannot_be_connected_to_is_looked_up_again(upstream: FakeUpstream) -> None:
    url = URL(f"http://localhost:{upstream.port}/")
    upstream.default = [SMALL]
    async with transport() as to:
        moved = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 1))
        to._pool._resolved["localhost", upstream.port] = (asyncio.get_running_loop().time() + 60, [moved])
        with pytest.raises(CallFailed, match="connect_failed"):
            await to.request("POST", url, HEADERS, b"{}", connect_seconds=5)
        answer = await to.request("POST", url, HEADERS, b"{}", connect_seconds=5)
        answer.close()


async def test_an_idle_connection_elsewhere_makes_room(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.default = other.default = [SMALL]
    async with transport(max_upstream_connections=1) as to:
        for where in (upstream, other, upstream):
            assert await whole(to, where) == (200, b"hello")
    assert [received.connection for received in upstream.received] == [1, 2]


async def test_a_call_that_is_cancelled_hangs_up_and_frees_its_place(upstream: FakeUpstream) -> None:
    upstream.plays([HANG], [SMALL])
    async with transport(max_upstream_connections=1) as to:
        task = asyncio.create_task(whole(to, upstream))
        received = await upstream.arrived()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await received.client_gone()
        assert await whole(to, upstream) == (200, b"hello")


NOWHERE: dict[str, tuple[str, dict[str, Any], str]] = {
    "nobody listens": ("http://127.0.0.1:1/", {}, "connect_failed"),
    "a name that is none": ("http://no-such-host.invalid/", {}, "name_not_resolved"),
    "a name without a label": ("http://a..invalid/", {}, "name_not_resolved"),
    "a name whose label is too long": (f"http://{'a' * 64}.invalid/", {}, "name_not_resolved"),
    "a refused address": ("http://127.0.0.1:{port}/", {"allow_networks": ()}, "address_refused"),
    "a name of a refused address": ("http://localhost:{port}/", {"allow_networks": ()}, "address_refused"),
    "a scheme that is none": ("ftp://127.0.0.1/", {}, "bad_address"),
}


@pytest.mark.parametrize("where", NOWHERE)
async def test_what_cannot_be_reached_is_said_by_name_and_nothing_was_sent(upstream: FakeUpstream, where: str) -> None:
    url, settings, error = NOWHERE[where]
    async with transport(**settings) as to:
        with pytest.raises(CallFailed) as raised:
            await to.request("POST", URL(url.format(port=upstream.port)), HEADERS, b"{}", connect_seconds=5)
        assert (raised.value.error, raised.value.connected) == (error, False)
    assert upstream.received == []


async def test_a_server_that_never_ends_its_handshake_is_given_up_after_the_connect_timeout() -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    url = URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with server, transport() as to:
        with pytest.raises(CallTimedOut):
            await to.request("POST", url, HEADERS, b"{}", connect_seconds=0.1)
        for writer in held:
            writer.close()
        await eventually(lambda: bool(held), "the server saw the attempt")


def compressed(body: bytes, encoding: str = "gzip") -> Script:
    return [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body)) + body
    ]


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_an_answer_that_is_compressed_all_the_same_is_read(
    upstream: FakeUpstream, encoding: str, compress: Any
) -> None:
    text = b"words and words and words " * 40_000
    upstream.default = compressed(compress(text), encoding)
    async with transport() as to:
        assert await whole(to, upstream) == (200, text)


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (gzip.compress(bytes(64 << 20)), "gzip", "answer_too_large"),
        (gzip.compress(b"hello" * 100)[:-20], "gzip", "answer_cut"),
        (b"not compressed", "gzip", "answer_cut"),
        (gzip.compress(b"hello") + b"x" * 1_000_000, "gzip", "answer_cut"),
        (b"anything", "br", "encoding_not_understood"),
    ],
    ids=["a bomb", "cut short", "not compressed", "more behind its end", "an encoding that was not asked for"],
)
async def test_what_cannot_be_unpacked_within_bounds_is_a_failure(
    upstream: FakeUpstream, body: bytes, encoding: str, error: str
) -> None:
    upstream.default = compressed(body, encoding)
    async with transport() as to:
        with pytest.raises(CallFailed) as raised:
            await whole(to, upstream)
        assert raised.value.error == error
