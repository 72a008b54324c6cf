"""What comes of trying: a whole answer, a stream that has begun, or a target that gave none."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fairlead_router.dialect.openai_response import BadAnswer, StreamReader
from fairlead_router.dialect.sse import EventSplitter, EventTooLarge, event_data
from fairlead_router.dispatch.failures import Failure
from fairlead_router.dispatch.job import Running
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.errors import RouterError


class Whole(msgspec.Struct, frozen=True):
    """A complete answer; the attempt is settled."""

    body: bytes
    status: int = 200
    event_stream: bool = False
    """The events of a stream that was kept, instead of JSON."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A target that gave no answer."""

    failure: Failure
    refusal: Whole | None = None
    """The provider's own words to the client, when the request is at fault."""
    error: RouterError | None = None
    """What the client is told instead of the failure (a budget without room)."""


@dataclass(slots=True)
class Begun:
    """A stream whose first event has arrived and is not sent yet."""

    running: Running
    answer: Answer
    splitter: EventSplitter
    reader: StreamReader
    first: bytes
    """What may be passed on already."""


def pass_events(splitter: EventSplitter, reader: StreamReader, chunk: bytes) -> tuple[bytes, bool]:
    """What of ``chunk`` the client gets, and whether any event carried data. Raises :class:`BadAnswer`."""
    try:
        events = splitter.feed(chunk)
    except EventTooLarge as error:
        raise BadAnswer("event_too_large") from error
    said_something = False
    passed = []
    for event in events:
        data = event_data(event)
        if not data:
            passed.append(event)
            continue
        said_something = True
        try:
            if reader.passes(data):
                passed.append(event)
        except BadAnswer as error:
            error.before = b"".join(passed)
            raise
        if reader.done:
            break
    return b"".join(passed), said_something
