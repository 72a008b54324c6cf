"""What providers say: scripts for :mod:`tests.router_e2e.fake_upstream`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.router_e2e.fake_upstream import Script, Step

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
DONE = b"data: [DONE]\n\n"

_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error"}


def http(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP answer with a length. ``retry_after="1"`` becomes ``retry-after: 1``."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def completion(content: str = "hello", usage: Mapping[str, Any] | None = USAGE, **fields: Any) -> dict[str, Any]:
    """A chat completion."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "small-upstream",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    } | fields


def answers(content: str = "hello", **fields: Any) -> Script:
    """A good answer."""
    return [http(200, json.dumps(completion(content, **fields)).encode())]


def fails(status: int, code: str | None = None, *, type_: str = "server_error", **headers: str) -> Script:
    """An error in OpenAI's shape."""
    error = {"message": "upstream words", "type": type_, "param": None, "code": code}
    return [http(status, json.dumps({"error": error}).encode(), **headers)]


def says(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Script:
    """Any body."""
    return [http(status, body, content_type, **headers)]


# ------------------------------------------------------------------------------------------------ streams


def event(delta: Mapping[str, Any] | None, finish: str | None = None, usage: Mapping[str, Any] | None = None) -> bytes:
    """One chunk of a streamed answer; ``delta=None`` is the chunk that carries usage and no choice."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small-upstream"}
    return b"data: " + json.dumps(chunk | {"choices": choices, "usage": usage}).encode() + b"\n\n"


def word(text: str) -> bytes:
    """One chunk of text."""
    return event({"content": text})


FINISH = event({}, "stop")
USAGE_EVENT = event(None, usage=USAGE)


def whole_stream(words: Iterable[str] = ("hel", "lo")) -> list[bytes]:
    """Every event of a complete streamed answer, usage included."""
    return [event({"role": "assistant", "content": ""}), *map(word, words), FINISH, USAGE_EVENT, DONE]


def head(content_type: str = "text/event-stream", status: int = 200) -> bytes:
    """The head of a chunked answer."""
    return f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def framed(data: bytes) -> bytes:
    """One chunk of HTTP's chunked coding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST = b"0\r\n\r\n"
"""The end of a chunked body."""


def streams(*steps: Step, ends: bool = True) -> Script:
    """An event stream of ``steps`` (by default a whole one); bytes are framed. ``ends=False`` leaves the body open."""
    given: tuple[Step, ...] = steps or tuple(whole_stream())
    body: list[Step] = [framed(step) if isinstance(step, bytes) else step for step in given]
    return [head(), *body, *([LAST] if ends else [])]


def in_pieces(data: bytes, size: int) -> list[bytes]:
    """``data`` cut every ``size`` bytes, whatever stands there."""
    return [data[place : place + size] for place in range(0, len(data), size)]


def gated_stream(gate: asyncio.Event) -> Script:
    """A stream that stops after its first word until ``gate`` is set."""
    first, text, *rest = whole_stream()
    return streams(first, text, gate, *rest)
