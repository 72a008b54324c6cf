"""A provider that costs next to nothing: the same canned answer to every request.

``python -m bench.proxy.mock`` prints the port it listens on. A request with ``"stream":true`` (or with a space after the
colon) gets 54 events, each its own write in its own turn of the loop, as a provider sends them while it generates.

Beside that, ``POST /-/delay/50`` puts 50 ms before each answer from now on, and whatever is posted to ``/v1/traces``,
``/v1/logs`` or ``/v1/metrics`` is taken as an OTLP collector does, and dropped; ``GET /-/counts`` says how many of each
there were.
"""

from __future__ import annotations

import asyncio
import json
from typing import cast

import uvloop

EVENTS = 54
"""A role, 50 tokens, a finish reason, the usage, ``[DONE]``."""

_HEAD = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "mock"}
_USAGE = {"prompt_tokens": 12, "completion_tokens": 50, "total_tokens": 62}
TEXT = "steer by the light that stands still and keep the shore to the left of you. " * 3


def _whole() -> bytes:
    message = {"role": "assistant", "content": TEXT}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _answer(json.dumps(_HEAD | {"object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode())


def _answer(body: bytes, kind: str = "application/json") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (kind.encode(), len(body)) + body


def _chunk(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def _events() -> list[bytes]:
    deltas = [
        ({"role": "assistant", "content": ""}, None),
        *(({"content": " word"}, None) for _ in range(50)),
        ({}, "stop"),
    ]
    chunks = [
        _HEAD | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    chunks.append(_HEAD | {"object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    events = [_chunk(json.dumps(chunk).encode()) for chunk in chunks]
    return [*events, _chunk(b"[DONE]")]


_WHOLE, _EVENTS = _whole(), _events()
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_STREAM_END = b"0\r\n\r\n"


class Control:
    """What all connections share."""

    def __init__(self) -> None:
        self.delay = 0.0
        """Seconds before each answer."""
        self.counts = {"chat": 0, "traces": 0, "logs": 0, "metrics": 0}

    def obey(self, path: str) -> bytes:
        """The answer to a request for anything but chat."""
        kind = path.rpartition("/")[2]
        if path.startswith("/-/delay/"):
            self.delay = float(kind) / 1000
            return _answer(b"{}")
        if path == "/-/counts":
            return _answer(json.dumps(self.counts).encode())
        if kind in self.counts:
            self.counts[kind] += 1
            return _answer(b"", "application/x-protobuf")  # an empty message: all was taken
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, control: Control) -> None:
        self._loop = loop
        self._control = control
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is complete."""
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._rest = b""
        if self._transport is None:
            return
        control = self._control
        if b"/chat/completions " not in head:
            self._transport.write(control.obey(head.split(b" ", 2)[1].decode()))
            return
        control.counts["chat"] += 1
        stream = b'"stream":true' in body or b'"stream": true' in body
        if control.delay:
            self._loop.call_later(control.delay, self._begin, stream)
        else:
            self._begin(stream)

    def _begin(self, stream: bool) -> None:
        if self._transport is None:
            return
        if stream:
            self._transport.write(_STREAM_HEAD)
            self._loop.call_soon(self._event, 0)
        else:
            self._transport.write(_WHOLE)

    def _event(self, number: int) -> None:
        if self._transport is None:
            return
        if number + 1 < EVENTS:
            self._transport.write(_EVENTS[number])
            self._loop.call_soon(self._event, number + 1)
        else:
            self._transport.write(_EVENTS[number] + _STREAM_END)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"content-length:")
    if start < 0:
        return 0
    end = lowered.find(b"\r\n", start)
    return int(lowered[start + 15 : None if end < 0 else end])


async def serve() -> None:
    """Until killed."""
    assert len(_EVENTS) == EVENTS
    loop = asyncio.get_running_loop()
    control = Control()
    server = await loop.create_server(lambda: Provider(loop, control), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
