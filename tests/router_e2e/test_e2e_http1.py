"""HTTP/1.1 on raw sockets: what could be understood in two ways is refused, and a provider only ever sees our own framing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, eventually, serving
from tests.router_e2e.raw_http import RawConnection, chat_head, raw_connection
from tests.router_e2e.world import policy, provider

BODY = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
LENGTH = f"Content-Length: {len(BODY)}"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def router(upstream: FakeUpstream) -> AsyncIterator[Harness]:
    """A router; whatever was sent to it, it still serves afterwards, and no provider heard of anything else than chats."""
    async with serving(provider(upstream.url), policy("acme/small"), max_body_bytes=100_000) as running:
        yield running
        assert (await running.chat()).status == 200
        await running.idle()
        assert {each.path for each in upstream.received} == {"/v1/chat/completions"}


def request(*headers: str, line: str = "POST /v1/chat/completions HTTP/1.1", body: bytes = BODY) -> bytes:
    return "\r\n".join([line, "Host: x", *headers, "", ""]).encode("latin-1") + body


async def closed(connection: RawConnection) -> bool:
    """Whether nothing more comes, and the router has closed."""
    return await asyncio.wait_for(connection.reader.read(), 10) == b""


AMBIGUOUS: list[tuple[str, bytes]] = [
    ("CL and TE", request(LENGTH, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    ("TE and CL", request("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED)),
    ("two lengths that differ", request("Content-Length: 5", LENGTH)),
    ("two lengths that agree", request(LENGTH, LENGTH)),
    ("a list of lengths", request(f"Content-Length: {len(BODY)}, {len(BODY)}")),
    ("a signed length", request(f"Content-Length: +{len(BODY)}")),
    ("a hexadecimal length", request("Content-Length: 0x10")),
    ("a length with an underscore", request("Content-Length: 1_0")),
    ("an empty length", request("Content-Length: ")),
    ("a length beyond all bounds", request("Content-Length: 99999999999999999999999")),
    ("a coding nobody knows", request("Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    ("chunked that is not last", request("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    ("chunked twice", request("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
    ("two transfer encodings", request("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    ("a vertical tab in a coding", request("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")),
    ("a space before the colon", request("Transfer-Encoding : chunked", LENGTH)),
    ("a folded header", request("X-Long: one\r\n two", LENGTH)),
    ("a folded transfer encoding", request("Transfer-Encoding:\r\n chunked", LENGTH)),
    ("a bare LF in the head", request("X-A: b\nX-B: c", LENGTH)),
    ("a bare CR in a value", request("X-A: b\rX-B: c", LENGTH)),
    ("NUL in a value", request("X-A: b\0c", LENGTH)),
    ("a control character in a value", request("X-A: b\x01c", LENGTH)),
    ("NUL in a name", request("X\0A: b", LENGTH)),
    ("a space in a name", request("X A: b", LENGTH)),
    ("no name", request(": b", LENGTH)),
    ("two hosts", request("Host: y", LENGTH)),
    ("no host", b"POST /v1/chat/completions HTTP/1.1\r\n" + LENGTH.encode() + b"\r\n\r\n" + BODY),
    ("two content types", request("Content-Type: application/json", "Content-Type: text/plain", LENGTH)),
    ("a space in the target", request(LENGTH, line="POST /v1/chat /completions HTTP/1.1")),
    ("a control character in the target", request(LENGTH, line="POST /v1/chat\x01/completions HTTP/1.1")),
    ("an unknown version", request(LENGTH, line="POST /v1/chat/completions HTTP/9.9")),
    ("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
]


@pytest.mark.parametrize("data", [case[1] for case in AMBIGUOUS], ids=[case[0] for case in AMBIGUOUS])
async def test_what_two_readers_could_understand_differently_is_400_in_openais_shape_and_the_end(
    router: Harness, upstream: FakeUpstream, data: bytes
) -> None:
    async with raw_connection(router) as connection:
        await connection.send(data)
        status, headers, body = await connection.answer()
        assert (status, headers["content-type"]) == (400, "application/json"), body
        assert headers["connection"] == "close"
        error = json.loads(body)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "malformed_http")
        assert await closed(connection)
    assert upstream.received == []


CHUNKS: list[tuple[str, bytes]] = [
    ("a size that is none", b"zz\r\n{}\r\n0\r\n\r\n"),
    ("a negative size", b"-1\r\n{}\r\n0\r\n\r\n"),
    ("a size in C", b"0x2\r\n{}\r\n0\r\n\r\n"),
    ("a size beyond all bounds", b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    ("a size followed by LF only", b"2\n{}\r\n0\r\n\r\n"),
    ("a chunk longer than it says", b"2\r\n{}xx\r\n0\r\n\r\n"),
    ("an extension with LF", b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
]


@pytest.mark.parametrize("body", [case[1] for case in CHUNKS], ids=[case[0] for case in CHUNKS])
async def test_a_chunk_that_is_none_is_refused_and_the_end(
    router: Harness, upstream: FakeUpstream, body: bytes
) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request("Transfer-Encoding: chunked", body=body + SMUGGLED))
        status, _ = await connection.error()
        assert status == 400
        assert await closed(connection)
    assert upstream.received == []


async def test_a_chunked_body_reaches_the_provider_in_our_framing_whatever_its_own_was(
    router: Harness, upstream: FakeUpstream
) -> None:
    async with raw_connection(router) as connection:
        pieces = [BODY[:5], BODY[5:9], BODY[9:]]
        body = b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        trailer = b"0\r\nAuthorization: Bearer smuggled\r\n\r\n"
        await connection.send(request("Transfer-Encoding: chunked", "Connection: close", body=body + trailer))
        assert (await connection.answer())[0] == 200
    received = upstream.received[0]
    assert received.headers.getall("Content-Length") == [str(len(received.body))]
    assert "Transfer-Encoding" not in received.headers
    assert "Authorization" not in received.headers


async def test_what_a_client_sends_of_hop_by_hop_and_routing_headers_stays_here(
    router: Harness, upstream: FakeUpstream
) -> None:
    sent = [
        "Connection: X-Secret",
        "X-Secret: PRIVATE",
        "Cookie: PRIVATE",
        "Proxy-Authorization: PRIVATE",
        "X-Forwarded-Host: PRIVATE",
        "Forwarded: host=PRIVATE",
        "TE: trailers",
        "X-Fairlead-User: PRIVATE",
    ]
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, *sent))
        assert (await connection.answer())[0] == 200
    assert "PRIVATE" not in str(upstream.received[0].headers)
    assert upstream.received[0].headers["Host"] == f"127.0.0.1:{upstream.port}"


INJECTIONS = ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "a\0b", "a\x85b", "a\u2028X-Injected: 1"]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_name_in_a_body_cannot_write_a_header(router: Harness, upstream: FakeUpstream, text: str) -> None:
    reply = await router.chat(text)
    assert (reply.status, reply.error_code) == (404, "model_not_found")
    assert "X-Injected" not in reply.headers
    reply = await router.chat(user=text, metadata={text: text})
    assert reply.status == 200
    assert "X-Injected" not in reply.headers
    assert "X-Injected" not in upstream.received[-1].headers


@pytest.mark.parametrize(
    "name", ["X-Fairlead-Workspace", "X-Fairlead-Request-Id", "traceparent", "tracestate", "Idempotency-Key"]
)
async def test_bytes_above_ascii_in_a_header_are_no_line_end_anywhere(
    router: Harness, upstream: FakeUpstream, name: str
) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, f"{name}: a\x85X-Injected: 1"))
        status, headers, _ = await connection.answer()
    assert status in {200, 400, 503}
    assert "x-injected" not in headers
    assert all("X-Injected" not in each.headers for each in upstream.received)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "X-Fairlead-Workspace",
        "X-Fairlead-User",
        "X-Fairlead-Priority",
        "X-FAIRLEAD-anything",
        "Idempotency-Key",
        "Content-Encoding",
        "traceparent",
    ],
)
@pytest.mark.parametrize("asked", ["POST /v1/chat/completions", "POST /api/routing/test", "GET /v1/models"])
async def test_a_header_that_decides_something_may_be_there_once(
    router: Harness, upstream: FakeUpstream, name: str, asked: str
) -> None:
    async with raw_connection(router) as connection:
        line = f"{asked} HTTP/1.1"
        await connection.send(request(LENGTH, f"{name}: gzip", f"{name.upper()}: other", line=line))
        status, _, body = await connection.answer()
        error = json.loads(body)["error"]
        assert (status, error["param"]) == (400, name.lower())
    assert upstream.received == []


async def test_a_header_that_decides_nothing_may_be_there_often(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, "Accept: a", "Accept: b", "X-Anything: 1", "x-anything: 2"))
        assert (await connection.answer())[0] == 200


async def test_pipelined_requests_are_answered_in_order_and_none_is_lost(
    router: Harness, upstream: FakeUpstream
) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    answers = [[gate, *upstream.default] for gate in gates]  # type: ignore[misc]
    upstream.plays(*answers)
    async with raw_connection(router) as connection:
        health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        unknown = b"GET /unknown HTTP/1.1\r\nHost: x\r\n\r\n"
        await connection.send(request(LENGTH) + health + request(LENGTH) + unknown + request(LENGTH) + health)
        for gate in reversed(gates):
            gate.set()
        statuses = [(await connection.answer())[0] for _ in range(6)]
    assert statuses == [200, 200, 200, 404, 200, 200]
    assert len(upstream.received) == 3


async def test_a_hundred_pipelined_requests_are_all_answered(router: Harness) -> None:
    async with raw_connection(router) as connection:
        sending = asyncio.create_task(connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 100))
        for _ in range(100):
            assert (await connection.answer())[0] == 200
        await sending


async def test_what_is_pipelined_behind_nonsense_is_not_served(router: Harness, upstream: FakeUpstream) -> None:
    async with raw_connection(router) as connection:
        await connection.send(b"nonsense\r\n\r\n" + request(LENGTH))
        assert await connection.error() == (400, "malformed_http")
        assert await closed(connection)
    assert upstream.received == []


async def test_the_target_may_be_absolute_and_its_host_means_nothing(router: Harness, upstream: FakeUpstream) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, line="POST http://evil.example/v1/chat/completions HTTP/1.1"))
        assert (await connection.answer())[0] == 200
    assert upstream.received[0].headers["Host"] == f"127.0.0.1:{upstream.port}"


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("CONNECT evil.example:443 HTTP/1.1", 404, "unknown_url"),
        ("GET http://evil.example/ HTTP/1.1", 404, "unknown_url"),
        ("OPTIONS /v1/chat/completions HTTP/1.1", 405, "method_not_allowed"),
        ("TRACE /v1/models HTTP/1.1", 405, "method_not_allowed"),
        ("PUT /health HTTP/1.1", 405, "method_not_allowed"),
        ("DELETE /v1/models/small HTTP/1.1", 405, "method_not_allowed"),
    ],
)
async def test_this_is_no_forward_proxy_and_other_methods_are_named(
    router: Harness, line: str, status: int, code: str
) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(line=line, body=b""))
        got, headers, body = await connection.answer()
        assert (got, json.loads(body)["error"]["code"]) == (status, code)
        assert ("allow" in headers) == (status == 405)


async def test_options_of_everything_is_answered(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(line="OPTIONS * HTTP/1.1", body=b""))
        assert (await connection.answer())[0] in {404, 405}


async def test_head_is_answered_without_a_body(router: Harness) -> None:
    async with raw_connection(router) as connection:
        for path, status in (("/health", 200), ("/v1/models", 405), ("/unknown", 404)):
            await connection.send(request(line=f"HEAD {path} HTTP/1.1", body=b""))
            head = (await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10)).decode()
            assert f" {status} " in head.split("\r\n")[0]
        await connection.send(request(line="GET /healthz HTTP/1.1", body=b""))
        assert (await connection.answer())[2] == b"ok\n"


async def test_a_body_is_asked_for_when_the_client_waits_for_that(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, "Expect: 100-continue", body=b""))
        assert await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await connection.send(BODY)
        assert (await connection.answer())[0] == 200


async def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request("Content-Length: 1000000", "Expect: 100-continue", body=b""))
        assert await connection.error() == (413, "request_too_large")


async def test_any_other_expectation_is_417(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(LENGTH, "Expect: miracles", body=b""))
        assert await connection.error() == (417, "expectation_failed")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_http_1_0_gets_its_answer_and_the_end_of_the_connection(
    router: Harness, upstream: FakeUpstream, stream: bool
) -> None:
    from tests.router_e2e.scripts import streams

    body = BODY
    if stream:
        upstream.plays(streams())
        body = BODY[:-1] + b',"stream":true}'
    async with raw_connection(router) as connection:
        lines = f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        await connection.send(lines.encode() + body)
        answer = await asyncio.wait_for(connection.reader.read(), 10)
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert b" 200 OK" in head
        assert b"chunked" not in head.lower()
        assert rest.endswith(b"data: [DONE]\n\n") if stream else json.loads(rest)["choices"]


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "TLS/1.0"])
async def test_an_upgrade_is_declined_and_what_follows_is_read_as_http(
    router: Harness, upstream: FakeUpstream, protocol: str
) -> None:
    async with raw_connection(router) as connection:
        upgrade = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQ"]
        await connection.send(request(*upgrade, line="GET /healthz HTTP/1.1", body=b""))
        status, headers, _ = await connection.answer()
        assert (status, "upgrade" in headers) == (200, False)
        await connection.send(request(line="GET /health HTTP/1.1", body=b""))
        assert (await connection.answer())[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        request(line="GET /" + "a" * 20_000 + " HTTP/1.1", body=b""),
        request(line="GET /?" + "a" * 20_000 + " HTTP/1.1", body=b""),
        request("X-Long: " + "a" * 20_000, line="GET /healthz HTTP/1.1", body=b""),
        request("x" * 20_000 + ": a", line="GET /healthz HTTP/1.1", body=b""),
    ],
    ids=["path", "query", "value", "name"],
)
async def test_a_line_that_is_too_long_is_431_and_the_end(router: Harness, data: bytes) -> None:
    async with raw_connection(router) as connection:
        await connection.send(data)
        assert await connection.error() == (431, "head_too_large")
        assert await closed(connection)


async def test_too_many_headers_are_refused(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(request(*(f"X-{number}: 1" for number in range(500)), body=b""))
        status, _ = await connection.error()
        assert status in {400, 431}
        assert await closed(connection)


async def test_a_connection_that_ends_in_the_middle_of_a_head_leaves_nothing(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head()[:-4])
        connection.writer.write_eof()
        assert await closed(connection)
    await eventually(lambda: router.in_flight == 0, "nothing in flight")


@pytest.mark.parametrize("body", [b"0" * 200_000, b"2;" + b"a" * 200_000], ids=["size", "extension"])
async def test_a_chunk_head_without_end_is_no_body_and_takes_no_memory(upstream: FakeUpstream, body: bytes) -> None:
    async with (
        serving(provider(upstream.url), policy("acme/small"), body_seconds=0.2) as router,
        raw_connection(router) as connection,
    ):
        await connection.send(request("Transfer-Encoding: chunked", body=body))
        status, _ = await connection.error()
        assert status in {400, 408}
        assert await closed(connection)
        assert router.running.context.pipeline.admission.buffers.held == 0
