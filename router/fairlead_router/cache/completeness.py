"""Which answers are whole enough to be given again."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fairlead_router.dialect.openai_request import RequestType
from fairlead_router.dialect.sse import EventSplitter, event_data

_REASONS = frozenset({"stop", "tool_calls", "function_call", "length"})
"""``length`` too: the limit is part of the question, and asking again would end there again. Never ``content_filter``, whose
verdict may change, nor a word that is not known here."""


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


_ANSWER = msgspec.json.Decoder(_Answer)


def is_complete(body: bytes, *, type_: RequestType, stream: bool, choices: int) -> bool:
    """Whether every choice that was asked for ended of itself. Embeddings have no other end."""
    if type_ == "Embedding":
        return True
    ended: set[int] = set()
    try:
        for data in _events(body) if stream else (body,):
            for choice in _ANSWER.decode(data).choices:
                if choice.finish_reason is None:
                    continue
                if choice.finish_reason not in _REASONS:
                    return False
                ended.add(choice.index)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return len(ended) >= choices


def _events(body: bytes) -> Iterator[bytes]:
    """The data of the events that may tell of an end.

    Inside a text the quotes of a key would be escaped, so that counting keys needs no parsing.
    """
    for event in EventSplitter(max_event_bytes=len(body)).feed(body):
        data = event_data(event)
        if data and data.count(b'"finish_reason"') > data.count(b'"finish_reason":null'):
            yield data
