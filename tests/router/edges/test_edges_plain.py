"""Which requests the front serves itself, and that it understands them as aiohttp does."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_router.http.client import Reply
from fairlead_router.http.plain import HeadLimits, Not, PlainRequest, recognise, whole_of

LIMITS = HeadLimits(8190, 100).plain()
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
PLAIN = LINE + b"Host: x\r\nContent-Type: application/json\r\nX-A:  1  \r\nContent-Length: 2\r\n\r\n{}"


def head(*lines: bytes, line: bytes = LINE) -> bytes:
    return line + b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def test_a_plain_request_is_read_whole_and_what_follows_is_left() -> None:
    found = recognise(PLAIN + b"POST", LIMITS)
    assert isinstance(found, PlainRequest)
    assert (found.operation.type, found.body, found.size) == ("Chat", b"{}", len(PLAIN))
    assert list(found.headers.items()) == [
        ("Host", "x"),
        ("Content-Type", "application/json"),
        ("X-A", "1"),
        ("Content-Length", "2"),
    ]


@pytest.mark.parametrize("end", range(len(PLAIN)))
def test_every_beginning_of_a_plain_request_is_waited_for(end: int) -> None:
    assert recognise(PLAIN[:end], LIMITS) is Not.WHOLE


HOST, LENGTH = b"Host: x", b"Content-Length: 2"

NOT_PLAIN = {
    "another method": head(HOST, LENGTH, line=b"GET /v1/chat/completions HTTP/1.1\r\n"),
    "another path": head(HOST, LENGTH, line=b"POST /v1/models HTTP/1.1\r\n"),
    "a query": head(HOST, LENGTH, line=b"POST /v1/chat/completions?a=b HTTP/1.1\r\n"),
    "an absolute target": head(HOST, LENGTH, line=b"POST http://x/v1/chat/completions HTTP/1.1\r\n"),
    "an older version": head(HOST, LENGTH, line=b"POST /v1/chat/completions HTTP/1.0\r\n"),
    "no length": head(HOST),
    "two lengths": head(HOST, LENGTH, LENGTH),
    "a list of lengths": head(HOST, b"Content-Length: 2, 2"),
    "a signed length": head(HOST, b"Content-Length: +2"),
    "a length of other digits": head(HOST, "Content-Length: ٢".encode()),
    "a length beyond what is kept": head(HOST, b"Content-Length: 9999999"),
    "no host": head(LENGTH),
    "two hosts": head(HOST, HOST, LENGTH),
    "chunks": head(HOST, b"Transfer-Encoding: chunked"),
    "chunks and a length": head(HOST, LENGTH, b"Transfer-Encoding: chunked"),
    "an expectation": head(HOST, LENGTH, b"Expect: 100-continue"),
    "an upgrade": head(HOST, LENGTH, b"Connection: upgrade", b"Upgrade: h2c"),
    "the last request of its connection": head(HOST, LENGTH, b"Connection: close"),
    "a packed body": head(HOST, LENGTH, b"Content-Encoding: gzip"),
    "a folded header": head(HOST, LENGTH, b"X-A: 1", b" 2"),
    "a space before the colon": head(HOST, LENGTH, b"X-A : 1"),
    "no name": head(HOST, LENGTH, b": 1"),
    "a bare LF": head(HOST, LENGTH, b"X-A: 1\nX-B: 2"),
    "a bare CR": head(HOST, LENGTH, b"X-A: 1\rX-B: 2"),
    "NUL": head(HOST, LENGTH, b"X-A: \0"),
    "too many headers": head(HOST, LENGTH, *[b"X-A: 1"] * 63),
    "a head without end": LINE + b"X-A: " + b"a" * 9000,
    "a header that may be there once only": head(HOST, LENGTH, b"User-Agent: a", b"user-agent: b"),
    "an old web socket": head(HOST, LENGTH, b"Sec-WebSocket-Key1: a"),
    "a tab behind the length": head(HOST, b"Content-Length: 2\t"),
    "what is no HTTP": b"\x16\x03\x01\x02\x00",
    "an empty line first": b"\r\n" + PLAIN,
}


@pytest.mark.parametrize("why", NOT_PLAIN)
def test_whatever_needs_thought_is_not_plain(why: str) -> None:
    assert recognise(NOT_PLAIN[why] + b"{}", LIMITS) is Not.PLAIN


def test_a_router_that_takes_smaller_heads_has_smaller_plain_ones() -> None:
    assert recognise(PLAIN, HeadLimits(60, 100).plain()) is Not.PLAIN
    assert recognise(PLAIN, HeadLimits(8190, 3).plain()) is Not.PLAIN


@given(st.binary(max_size=300), st.integers(0, len(PLAIN)))
def test_a_plain_request_survives_no_byte_that_a_head_may_not_have(noise: bytes, place: int) -> None:
    found = recognise(PLAIN[:place] + noise + PLAIN[place:], LIMITS)
    if isinstance(found, PlainRequest):
        assert found.size <= len(PLAIN) + len(noise)
        assert len(found.body) == int(found.headers["content-length"])
        assert not any(set(value) & set("\r\n\0") for value in found.headers.values())


FRAMING = ["Host", "Content-Length", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE", "HTTP2-Settings"]
OTHERS = ["User-Agent", "ETag", "Server", "Content-Type", "Content-Range", "Cookie", "X-A", "x-a", "X A", ""]
NAMES = st.sampled_from([*FRAMING, *OTHERS, "Sec-WebSocket-Key", "Sec-WebSocket-Key1"])
VALUES = st.sampled_from(
    [b"", b"2", b"002", b"2 ", b"2\t", b"\t2", b"keep-alive", b"Keep-Alive ", b"close", b"a\xff\xc3\xbc", b"\x7f"]
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), st.sampled_from([b"2", b"2\t", b"02", b"2 ", b"2 \t "]))
def test_what_is_plain_is_what_aiohttp_understands_and_means_the_same(
    headers: list[tuple[str, bytes]], length: bytes
) -> None:
    lines = [HOST, b"Content-Length:" + length, *(name.encode() + b":" + value for name, value in headers)]
    data = head(*lines) + b"{}"
    found = recognise(data, LIMITS)
    if not isinstance(found, PlainRequest):
        return
    loop = asyncio.new_event_loop()
    try:
        protocol = BaseProtocol(loop)
        ((message, body),), upgraded, rest = HttpRequestParser(protocol, loop, 1 << 16).feed_data(data)
        assert (message.method, message.path, upgraded, rest) == ("POST", "/v1/chat/completions", False, b"")
        assert not any((message.should_close, message.chunked, message.compression, message.upgrade))
        assert message.headers == found.headers
        assert body.is_eof()
        assert body.read_nowait() == found.body
    finally:
        loop.close()


def test_a_whole_answer_is_one_message_with_a_length() -> None:
    reply = Reply(429, CIMultiDict({"X-A": "1"}), b"{}")
    assert whole_of(reply, 0, close=False) == (
        b"HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Connection: close\r\n" in whole_of(reply, 0, close=True)
    assert whole_of(Reply(520, CIMultiDict(), b""), 0, close=False).startswith(b"HTTP/1.1 520 Refused\r\n")
