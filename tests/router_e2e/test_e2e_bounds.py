"""Slow clients, many connections, packed bodies, huge answers: each has an end, and none takes memory without one."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import zlib

import pytest

from fairlead_router.http import bodies
from tests.router_e2e.fake_upstream import HANG, FakeUpstream
from tests.router_e2e.harness import Harness, attempts, eventually, serving
from tests.router_e2e.raw_http import chat_head, raw_connection
from tests.router_e2e.scripts import LAST, framed, head, http, word
from tests.router_e2e.world import policy, provider

BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi " * 500}]}).encode()


def held(router: Harness) -> int:
    return router.running.context.pipeline.admission.buffers.held


# ------------------------------------------------------------------------------------------- slow clients


async def test_a_head_that_drips_in_is_not_waited_for(upstream: FakeUpstream) -> None:
    async with (
        serving(provider(upstream.url), policy("acme/small"), head_seconds=0.3) as router,
        raw_connection(router) as slow,
        raw_connection(router) as silent,
    ):
        drip = asyncio.create_task(_drip(slow.send, chat_head()))
        assert await slow.error() == (408, "request_timeout")
        assert await slow.reader.read() == b""
        drip.cancel()
        await silent.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await silent.answer())[0] == 200, "a connection that has sent nothing is idle, not slow"


async def _drip(send: object, data: bytes) -> None:
    for place in range(len(data) - 1):
        await send(data[place : place + 1])  # type: ignore[operator]
        await asyncio.sleep(0.05)


async def test_a_connection_is_used_again_after_a_head_in_two_pieces(upstream: FakeUpstream) -> None:
    async with (
        serving(provider(upstream.url), policy("acme/small"), head_seconds=0.3) as router,
        raw_connection(router) as client,
    ):
        for _ in range(2):
            await client.send(b"GET /healthz HT")
            await asyncio.sleep(0.02)
            await client.send(b"TP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.answer())[0] == 200
        await asyncio.sleep(0.5)  # longer than a head may take: the time between requests does not count
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer())[0] == 200


async def test_a_body_must_come_at_a_rate_and_not_only_some_time(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.3)
    async with (
        serving(provider(upstream.url), policy("acme/small"), body_seconds=60) as router,
        raw_connection(router) as slow,
        raw_connection(router) as steady,
    ):
        await slow.send(chat_head("Content-Length: 100000"))
        await steady.send(chat_head(f"Content-Length: {len(BODY)}"))
        drip = asyncio.create_task(_drip(slow.send, BODY))
        for place in range(0, len(BODY), 100):
            await steady.send(BODY[place : place + 100])
            await asyncio.sleep(0.03)
        assert (await steady.answer())[0] == 200
        assert await slow.error() == (408, "request_timeout")
        drip.cancel()
        await eventually(lambda: held(router) == 0, "nothing is held")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/routing/test"])
async def test_a_body_takes_no_place_before_it_has_arrived(upstream: FakeUpstream, path: str) -> None:
    async with (
        serving(provider(upstream.url), policy("acme/small"), max_concurrent_requests=1) as router,
        raw_connection(router) as slow,
    ):
        await slow.send(chat_head(f"Content-Length: {len(BODY)}").replace(b"/v1/chat/completions", path.encode()))
        await slow.send(BODY[:10])
        await eventually(lambda: held(router) == 10, "a part of it has arrived")
        assert router.in_flight == 0
        await slow.send(BODY[10:])
        assert (await slow.answer())[0] == 200
        assert held(router) == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_does_not_take_its_answer_is_hung_up_on(upstream: FakeUpstream, stream: bool) -> None:
    size = 20_000_000  # more than the kernel takes on its way
    if stream:
        upstream.default = [head(), *[framed(word("x" * 100_000))] * (size // 100_000), HANG]
    else:
        upstream.default = [http(200, json.dumps({"choices": [], "pad": "x" * size}).encode())]
    async with serving(provider(upstream.url), policy("acme/small"), stalled_seconds=0.5) as router:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", router.running.port))
            body = BODY[:-1] + (b',"stream":true}' if stream else b"}")
            await loop.sock_sendall(sock, chat_head(f"Content-Length: {len(body)}") + body)
            await upstream.arrived(1)
            await eventually(lambda: router.in_flight == 1, "it is served")
            await eventually(lambda: router.in_flight == 0, "it was hung up on")
        record = await router.newest_record()
        assert record["status"] == 499 or record["outcome"] == "Cancelled"
        assert held(router) == 0
        if stream:
            await upstream.received[0].client_gone()


# ------------------------------------------------------------------------------------------- connections


async def test_beyond_the_limit_of_connections_the_next_is_told_so(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), max_connections=2) as router:
        async with raw_connection(router) as one, raw_connection(router):
            await one.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await one.answer())[0] == 200
            async with raw_connection(router) as three:
                status, headers, _ = await three.answer()
                assert (status, headers["retry-after"]) == (503, "1")
                assert await three.reader.read() == b""
            assert await router.metric("fairlead_requests_refused_total", reason="connections") == 1
        await eventually(lambda: _answers(router), "there is room again")


async def _answers(router: Harness) -> bool:
    async with raw_connection(router) as client:
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        return (await client.answer())[0] == 200


async def test_an_address_may_be_limited_too(upstream: FakeUpstream) -> None:
    async with (
        serving(provider(upstream.url), policy("acme/small"), max_connections_per_address=1) as router,
        raw_connection(router) as one,
    ):
        await one.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one.answer())[0] == 200
        async with raw_connection(router) as two:
            assert await two.error() == (503, "too_many_connections")


# ------------------------------------------------------------------------------------------- packed bodies


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = [
    ("gzip", gzip.compress(BODY)),
    ("x-gzip", gzip.compress(BODY)),
    ("GZIP", gzip.compress(BODY[:10]) + gzip.compress(BODY[10:])),
    ("deflate", zlib.compress(BODY)),
    ("deflate", raw_deflate(BODY)),
    ("identity", BODY),
]


@pytest.mark.parametrize(("encoding", "data"), PACKED)
async def test_a_packed_body_is_unpacked(upstream: FakeUpstream, encoding: str, data: bytes) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.post(data, content_encoding=encoding)
        assert reply.status == 200, reply.body
        assert upstream.received[0].json["messages"] == json.loads(BODY)["messages"]
        assert "Content-Encoding" not in upstream.received[0].headers
        assert held(router) == 0


REFUSED = [
    ("br", BODY, 415, "unsupported_encoding"),
    ("zstd", BODY, 415, "unsupported_encoding"),
    ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415, "unsupported_encoding"),
    ("gzip", gzip.compress(BODY)[:-9], 400, "invalid_body"),
    ("gzip", gzip.compress(BODY) + b"rest", 400, "invalid_body"),
    ("deflate", b"\xff" * 100, 400, "invalid_body"),
    ("gzip", gzip.compress(b" " * 9_000_000), 413, "request_too_large"),  # a ratio of a thousand, within the limit
    ("gzip", gzip.compress(b" " * 400_000_000, 1), 413, "request_too_large"),
]


@pytest.mark.parametrize(("encoding", "data", "status", "code"), REFUSED)
async def test_a_bomb_or_what_cannot_be_unpacked_is_refused(
    upstream: FakeUpstream, encoding: str, data: bytes, status: int, code: str
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.post(data, content_encoding=encoding)
        assert (reply.status, reply.error_code) == (status, code)
        assert held(router) == 0
    assert upstream.received == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_provider_that_packs_a_bomb_gives_no_answer(upstream: FakeUpstream, stream: bool) -> None:
    bomb = gzip.compress(b" " * 100_000_000, 1)
    kind = "text/event-stream" if stream else "application/json"
    upstream.default = [http(200, bomb, kind, content_encoding="gzip")]
    limits = {"max_response_bytes": 1_000_000, "max_event_bytes": 100_000}
    async with serving(provider(upstream.url), policy("acme/small"), **limits) as router:
        reply = await router.chat(stream=stream)
        assert (reply.status, reply.error_code) == (502, "upstream_error")
        error = "event_too_large" if stream else "answer_too_large"
        assert attempts(await router.record(reply)) == [("acme/small", "Failed", error)]


# ------------------------------------------------------------------------------------------- memory of all together


async def test_bodies_of_all_requests_together_are_bounded(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, *upstream.default]  # type: ignore[misc]
    async with serving(provider(upstream.url), policy("acme/small"), max_buffered_bytes=4000) as router:
        first = asyncio.create_task(router.post(BODY))
        second = asyncio.create_task(router.post(BODY))
        await upstream.arrived(2)
        assert held(router) == 2 * len(BODY)
        refused = await router.post(BODY)
        assert (refused.status, refused.error_code) == (503, "router_overloaded")
        assert await router.metric("fairlead_requests_refused_total", reason="buffers_full") == 1
        gate.set()
        assert {(await first).status, (await second).status} == {200}
        await router.idle()
        assert held(router) == 0


async def test_a_stream_is_read_from_the_provider_no_faster_than_the_client_takes_it(upstream: FakeUpstream) -> None:
    upstream.default = [head(), *[framed(word("x" * 100_000))] * 400, LAST]
    body = BODY[:-1] + b',"stream":true}'
    async with serving(provider(upstream.url), policy("acme/small")) as router, raw_connection(router) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(chat_head(f"Content-Length: {len(body)}") + body)
        received = await upstream.arrived(1)
        await eventually(lambda: router.in_flight == 1, "it is served")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await received.over.wait()
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer = answer[-10:] + await client.reader.read(1 << 20)
        async with asyncio.timeout(10):
            await received.over.wait()
