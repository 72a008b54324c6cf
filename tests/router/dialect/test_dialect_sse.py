"""Server-sent events, wherever the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead_router.dialect.sse import EventSplitter, EventTooLarge, event_data

streams = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"data: x", b"data:", b": ping", b"a", b"\xe2\x82\xac"]),
    max_size=14,
).map(b"".join)


def split(data: bytes, cuts: list[int], limit: int = 1000) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter(max_event_bytes=limit)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    events = [event for start, end in itertools.pairwise(places) for event in splitter.feed(data[start:end])]
    return events, splitter.pending


@example(b"a\n\r\n\nb\n\n", [4])
@example(b"a\r\n\r\n\n", list(range(6)))
@given(streams, st.lists(st.integers(0, 60), max_size=30))
def test_a_stream_gives_the_same_events_wherever_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert split(data, cuts) == split(data, [])


@given(streams)
def test_no_byte_is_lost_or_changed_and_every_event_ends_in_a_blank_line(data: bytes) -> None:
    events, pending = split(data, list(range(len(data))))
    assert b"".join(events) + pending == data
    for event in events:
        assert event.replace(b"\r\n", b"\n").endswith(b"\n\n")
        assert b"\n\n" not in event.replace(b"\r\n", b"\n")[:-1]
    assert b"\n\n" not in pending.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("data", "events", "pending"),
    [
        (b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\n", b"data: 2\n\n"], b""),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"], b""),
        (b"data: 1\n\r\ndata: 2\r\n\n", [b"data: 1\n\r\n", b"data: 2\r\n\n"], b""),
        (b"data: 1\n\ndata: 2\r\n\r\n", [b"data: 1\n\n", b"data: 2\r\n\r\n"], b""),
        (b"data: 1\r\n\r\ndata: 2\n\n", [b"data: 1\r\n\r\n", b"data: 2\n\n"], b""),
        (b"id: 1\ndata: 2\n\nrest", [b"id: 1\ndata: 2\n\n"], b"rest"),
        (b"data: 1\n", [], b"data: 1\n"),
        (b"", [], b""),
    ],
)
def test_an_event_ends_at_a_blank_line_whatever_the_line_ends(data: bytes, events: list[bytes], pending: bytes) -> None:
    assert split(data, []) == (events, pending)


@pytest.mark.parametrize("cuts", [[], [3], list(range(20))])
def test_an_event_of_exactly_the_limit_passes_and_one_byte_more_does_not(cuts: list[int]) -> None:
    assert split(b"data: 123\n\n", cuts, limit=11)[0] == [b"data: 123\n\n"]
    with pytest.raises(EventTooLarge):
        split(b"data: 1234\n\n", cuts, limit=11)


def test_a_line_that_never_ends_is_stopped_at_the_limit() -> None:
    splitter = EventSplitter(max_event_bytes=100)
    for _ in range(100):
        assert splitter.feed(b"x") == []
    with pytest.raises(EventTooLarge):
        splitter.feed(b"x")


def test_the_limit_is_of_one_event_and_not_of_what_arrives_at_once() -> None:
    assert len(split(b"data: 1\n\n" * 50, [], limit=20)[0]) == 50


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: hello\n\n", b"hello"),
        (b"data:hello\n\n", b"hello"),
        (b"data: hello\r\n\r\n", b"hello"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"data: one\r\ndata: two\r\n\r\n", b"one\ntwo"),
        (b"data: one\ndata:\ndata: two\n\n", b"one\n\ntwo"),
        (b"event: message\ndata: hello\n\n", b"hello"),
        (b"data: hello\nid: 7\n\n", b"hello"),
        (b": ping\ndata: hello\n\n", b"hello"),
        (b"\ndata: hello\n\n", b"hello"),
        (b"data: [DONE]\n\n", b"[DONE]"),
        (b": ping\n\n", None),
        (b"event: ping\n\n", None),
        (b"retry: 100\n\n", None),
        (b"database: x\n\n", None),
        (b"\n\n", None),
    ],
)
def test_the_data_of_an_event_are_its_data_lines_joined(event: bytes, data: bytes | None) -> None:
    assert event_data(event) == data


payload = st.text('ab {}"\u20ac:', min_size=1, max_size=8).map(lambda text: f"<{text}>".encode())


@given(st.lists(payload, min_size=1, max_size=4), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_what_was_written_as_data_lines_is_read_back(lines: list[bytes], end: bytes, named: bool) -> None:
    event = (b"event: x" + end if named else b"") + b"".join(b"data: " + line + end for line in lines) + end
    assert event_data(event) == b"\n".join(lines)


def plain_events(data: bytes) -> tuple[list[bytes], bytes]:
    """The same as :class:`EventSplitter` by looking at one line after the other; source: WHATWG HTML, 9.2.6."""
    events, event = [], b""
    for line in data.splitlines(keepends=True):
        event += line
        if line in {b"\n", b"\r\n"} and event not in {b"\n", b"\r\n"}:
            events.append(event)
            event = b""
    return events, event


lines = st.lists(
    st.tuples(
        st.sampled_from([b"data: x", b"data:", b": ping", b"id", b"\xe2\x82\xac"]), st.sampled_from([b"\n", b"\r\n"])
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: b"".join(text + end for text, end in parts))
whole_streams = st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r\n"])).map(b"".join), max_size=6).map(b"".join)


@given(whole_streams, lines, st.lists(st.integers(0, 200), max_size=30))
def test_a_plain_reading_line_by_line_finds_the_same_events(whole: bytes, rest: bytes, cuts: list[int]) -> None:
    assert split(whole + rest, cuts) == plain_events(whole + rest)


@given(whole_streams, streams, st.lists(st.integers(0, 200), max_size=10))
def test_the_events_of_two_streams_one_after_the_other_are_those_of_each(
    one: bytes, two: bytes, cuts: list[int]
) -> None:
    first, nothing = split(one, [])
    second, pending = split(two, [])
    assert nothing == b""
    assert split(one + two, cuts) == (first + second, pending)


@given(whole_streams, st.lists(st.integers(0, 200), max_size=10), st.integers(1, 40))
def test_a_limit_refuses_exactly_the_streams_that_have_a_larger_event(data: bytes, cuts: list[int], limit: int) -> None:
    events, _ = split(data, [])
    if all(len(event) <= limit for event in events):
        assert split(data, cuts, limit)[0] == events
    else:
        with pytest.raises(EventTooLarge):
            split(data, cuts, limit)
