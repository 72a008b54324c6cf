"""What the suite itself reads: events as a browser would, bodies in every framing."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_conformance.answer import event_data, read_stream
from fairlead_conformance.wire import body_pieces, read_head

EVENTS: list[tuple[str, bytes, list[bytes], bytes]] = [
    ("two events", b"data: a\n\ndata: b\n\n", [b"a", b"b"], b""),
    ("no space", b"data:a\n\n", [b"a"], b""),
    ("one space of two is text", b"data:  a\n\n", [b" a"], b""),
    ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], b""),
    ("bare CR", b"data: a\r\rdata: b\r\r", [b"a", b"b"], b""),
    ("two lines of data", b"data: a\ndata: b\n\n", [b"a\nb"], b""),
    ("other fields", b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"], b""),
    ("comments", b": hi\n\n:\n\ndata: a\n\n", [b"a"], b""),
    ("an event that never ended", b"data: a\n\ndata: b\n", [b"a"], b"b\n"),
    ("a line that never ended", b"data: a\n\ndata: b", [b"a"], b"data: b"),
    ("nothing", b"", [], b""),
]


@pytest.mark.parametrize(("body", "events", "left"), [each[1:] for each in EVENTS], ids=[each[0] for each in EVENTS])
def test_events_are_read_as_the_standard_has_it(body: bytes, events: list[bytes], left: bytes) -> None:
    assert event_data(body) == (events, left)


def test_an_answer_is_sorted_by_what_its_events_are() -> None:
    found = read_stream(
        b'data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}\n\n'
        b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'
        b"data: {]\n\n"
        b'data: {"error":{"message":"m","code":"c"}}\n\n'
        b"data: [DONE]\n\n"
        b"data: late\n\n"
    )
    assert found.texts == {0: "a", 1: "b"}
    assert (found.usages, len(found.without_choices)) == ([{"total_tokens": 3}], 1)
    assert found.garbage == [b"{]"]
    assert [error["code"] for error in found.errors] == ["c"]
    assert (found.dones, found.done_after_error, found.after_done) == (1, True, [b"late"])


async def _body(message: bytes, *, to_the_close: bool = True) -> bytes:
    reader = asyncio.StreamReader()
    reader.feed_data(message)
    reader.feed_eof()
    head = await read_head(reader)
    return b"".join([piece async for piece in body_pieces(reader, head, to_the_close=to_the_close)])


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (CHUNKED + b"0\r\nX-Trailer: 1\r\n\r\n", b""),
        (SIZED + b"abcdefgh", b"abcde"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc"),
    ],
    ids=["chunks", "trailer", "length", "until the close"],
)
async def test_a_body_is_read_in_every_framing(message: bytes, body: bytes) -> None:
    assert await _body(message) == body


@pytest.mark.parametrize(
    "message",
    [CHUNKED + b"3\r\nab", CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"0\r\n", SIZED + b"abc"],
    ids=["in a chunk", "between chunks", "in the trailer", "before the length"],
)
async def test_a_body_that_is_cut_is_not_taken_for_a_whole_one(message: bytes) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await _body(message)


@pytest.mark.parametrize("message", [CHUNKED + b"zz\r\n", CHUNKED + b"1\r\nabc\r\n"], ids=["no size", "too long"])
async def test_broken_framing_is_told_from_a_cut(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|longer than it said"):
        await _body(message)


async def test_a_request_without_a_length_has_no_body() -> None:
    assert await _body(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", to_the_close=False) == b""


@given(
    st.lists(st.text(alphabet="abc: \u20ac", max_size=5).map(str.encode), max_size=5), st.sampled_from([b"\n", b"\r\n"])
)
def test_what_is_written_as_events_is_read_as_the_same_events(events: list[bytes], end: bytes) -> None:
    assert event_data(b"".join(b"data: " + each + end + end for each in events)) == (events, b"")
