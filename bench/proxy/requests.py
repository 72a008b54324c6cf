"""The chat requests that are sent: one and the same again and again, or each by another user."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from itertools import count, repeat
from typing import NamedTuple

PATH = "/v1/chat/completions"
MODEL = "auto"
ROUTER_HEADERS = {"x-fairlead-agent-type": "coder", "x-fairlead-user": "user-7"}
"""What the router is told about a request."""

_USERS = 1_000_000
_STREAM_EVERY = 10


class Request(NamedTuple):
    """As it goes over the wire."""

    data: bytes
    stream: bool


def chat_body(model: str, *, stream: bool) -> dict[str, object]:
    """A chat request of ordinary size."""
    system = "You are a terse assistant that answers in one sentence and never apologises. " * 3
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": "Which way to the harbour?"}],
        "max_tokens": 64,
        "temperature": 0.2,
    }
    return body | {"stream": True} if stream else body


def same(port: int, *, stream: bool, path: str, model: str, headers: Mapping[str, str]) -> Iterator[Request]:
    """Always the same request."""
    head, body = _parts(port, stream=stream, path=path, model=model, headers=headers)
    return repeat(Request(head + b"\r\n" + body, stream))


def varied(port: int, seed: int, *, path: str, model: str, headers: Mapping[str, str]) -> Iterator[Request]:
    """Users drawn from a million, sessions that never come again, one stream in ten: whatever is remembered for each shows."""
    kept = {name: value for name, value in headers.items() if name != "x-fairlead-user"}
    kinds = [_parts(port, stream=stream, path=path, model=model, headers=kept) for stream in (False, True)]
    draw = random.Random(seed)
    for number in count(1):
        stream = number % _STREAM_EVERY == 0
        head, body = kinds[stream]
        who = f"x-fairlead-user: user-{draw.randrange(_USERS)}\r\nx-fairlead-session: session-{seed}-{number}\r\n\r\n"
        yield Request(head + who.encode() + body, stream)


def _parts(port: int, *, stream: bool, path: str, model: str, headers: Mapping[str, str]) -> tuple[bytes, bytes]:
    """The head without the empty line that ends it, and the body."""
    body = json.dumps(chat_body(model, stream=stream)).encode()
    head = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/json",
        **headers,
        "Content-Length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}".encode(), body
