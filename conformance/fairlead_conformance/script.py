"""What the provider does, step by step, and the words of the OpenAI protocol that it does it with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class End(Enum):
    """Ways to go on that are not bytes."""

    HANG = auto()
    """Say nothing more until the gateway hangs up."""
    CLOSE = auto()
    """Close the connection in the usual way (FIN)."""
    RESET = auto()
    """Tear it down (RST)."""


HANG, CLOSE, RESET = End.HANG, End.CLOSE, End.RESET


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds: what was sent arrives by itself."""

    seconds: float = 0.02


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait until the client has seen something, but not for ever: who holds it back is judged, not waited for."""

    opened: asyncio.Event
    seconds: float = 3.0


Step = bytes | End | Pause | Gate
Script = Sequence[Step]

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
DONE = b"data: [DONE]\n\n"
LAST = b"0\r\n\r\n"
"""The end of a chunked body."""


def chunk(
    delta: Mapping[str, Any] | None, finish: str | None = None, *, index: int = 0, **fields: Any
) -> dict[str, Any]:
    """One chunk of a streamed answer; ``delta=None`` makes one without choices."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}]
    named = {"id": "chatcmpl-c0ffee", "object": "chat.completion.chunk", "created": 1700000000, "model": "fake-model"}
    return named | {"system_fingerprint": "fp_0", "choices": choices} | fields


def event(data: Mapping[str, Any]) -> bytes:
    """``data`` as a server-sent event, its characters unescaped as OpenAI sends them."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def word(text: str, *, index: int = 0, **fields: Any) -> bytes:
    """One event with text."""
    return event(chunk({"content": text}, index=index, **fields))


START = event(chunk({"role": "assistant", "content": ""}))
FINISH = event(chunk({}, "stop"))
USAGE_EVENT = event(chunk(None, usage=USAGE))
HELLO: tuple[bytes, ...] = (START, word("Hello"), word(", "), word("world"))
HELLO_TEXT = "Hello, world"
WHOLE: tuple[bytes, ...] = (*HELLO, FINISH, DONE)


def head(*extra: str, status: int = 200, kind: str = "text/event-stream; charset=utf-8", chunked: bool = True) -> bytes:
    """The head of an answer; one that is not ``chunked`` lasts until the connection closes."""
    framing = "Transfer-Encoding: chunked" if chunked else "Connection: close"
    return "\r\n".join([f"HTTP/1.1 {status} Status", f"Content-Type: {kind}", framing, *extra, "", ""]).encode()


def framed(data: bytes) -> bytes:
    """One chunk of the chunked coding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def stream(*steps: Step, ends: bool = True) -> Script:
    """A chunked event stream of ``steps``; without ``ends`` its body stays open."""
    body: list[Step] = [framed(step) if isinstance(step, bytes) else step for step in steps]
    return [head(), *body, *([LAST] if ends else [])]


def in_pieces(data: bytes, size: int, pause: float) -> list[Step]:
    """``data`` cut every ``size`` bytes, each piece a segment of its own."""
    steps: list[Step] = []
    for place in range(0, len(data), size):
        steps += [data[place : place + size], Pause(pause)]
    return steps


def answer(body: bytes, *extra: str, status: int = 200, kind: str = "application/json") -> Script:
    """A whole answer with a length."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *extra, "", ""]
    return ["\r\n".join(lines).encode() + body]


def completion(text: str = HELLO_TEXT, **fields: Any) -> bytes:
    """The body of a whole chat completion."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    named = {"id": "chatcmpl-c0ffee", "object": "chat.completion", "created": 1700000000, "model": "fake-model"}
    return json.dumps(named | {"choices": [choice], "usage": USAGE} | fields).encode()


def error_body(code: str | None = "server_error", type_: str = "server_error") -> bytes:
    """An error in OpenAI's shape."""
    return json.dumps({"error": {"message": "provider words", "type": type_, "param": None, "code": code}}).encode()


def fails(status: int, *extra: str, code: str | None = None, type_: str = "server_error") -> Script:
    """A refusal."""
    return answer(error_body(code, type_), *extra, status=status)
