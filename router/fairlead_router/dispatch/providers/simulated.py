"""A provider that needs no network: answers, delays and failures as its ModelProvider says.

What it answers depends on the request's bytes, the model and the seed, so that the same request gets the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.transport.base import Answer, CallFailed

_TEXT = (
    "a simulated answer steers by the same lights as a real one: it has a first word, a length and a last word, "
    "and costs nothing but the time it is told to take;"
)
_WORDS = tuple(_TEXT.split())
_DIMENSIONS = 16


class Simulated:
    """Plays a provider. ``sleep`` takes seconds."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep

    async def open(self, call: Call) -> Answer:
        """See the interface."""
        settings = call.model.provider.fragment.simulated
        if settings is None:
            raise CallFailed("not_simulated", connected=False)
        request = call.request
        seed = f"{settings.seed}\0{call.model.key}\0".encode()
        number = int.from_bytes(hashlib.blake2b(seed + request.body, digest_size=8).digest(), "big")
        # The share of failures is drawn per attempt, so that trying again can help.
        failing = hashlib.blake2b(f"{call.decision_id}\0{call.attempt}".encode(), key=seed[:64], digest_size=8).digest()
        delay = settings.first_byte_milliseconds / 1000
        if int.from_bytes(failing, "big") % 100 < settings.error_percent:
            await self._sleep(delay)
            return _Whole(
                503, _json({"error": {"message": "simulated failure", "type": "server_error", "code": "simulated"}})
            )
        tokens = settings.output_tokens if settings.output_tokens > 0 else 1
        limit = request.max_output_tokens or call.model.model.default_max_output_tokens
        cut = limit is not None and limit < tokens
        if request.type == "Embedding":
            await self._sleep(delay)
            return _Whole(200, _embeddings(call, number))
        words = [_WORDS[(number + place) % len(_WORDS)] for place in range(min(tokens, limit or tokens))]
        shape = _Shape(
            id=f"{'cmpl' if request.type == 'Completion' else 'chatcmpl'}-{number:016x}",
            chat=request.type == "Chat",
            model=call.model.model.upstream_name,
            finish_reason="length" if cut else "stop",
            usage={
                "prompt_tokens": request.estimated_input_tokens,
                "completion_tokens": len(words) * request.choices,
                "total_tokens": request.estimated_input_tokens + len(words) * request.choices,
            },
        )
        if request.stream:
            await self._sleep(delay)
            return _Stream(shape, words, request.choices, settings.per_token_milliseconds / 1000, self._sleep)
        await self._sleep(delay + settings.per_token_milliseconds / 1000 * len(words))
        return _Whole(200, shape.whole(words, request.choices))


def _embeddings(call: Call, number: int) -> bytes:
    """One vector of length 1 for each text, which depends on the request and on its place."""
    data = []
    for index in range(call.request.choices):
        raw = hashlib.blake2b(f"{number}\0{index}".encode(), digest_size=_DIMENSIONS).digest()
        vector = [byte / 127.5 - 1 for byte in raw]
        length = sum(value * value for value in vector) ** 0.5
        data.append({"object": "embedding", "index": index, "embedding": [value / length for value in vector]})
    tokens = call.request.estimated_input_tokens
    return _json(
        {
            "object": "list",
            "model": call.model.model.upstream_name,
            "data": data,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


class _Shape(msgspec.Struct, frozen=True):
    id: str
    chat: bool
    """Or else a completion."""
    model: str
    finish_reason: str
    usage: dict[str, int]

    def whole(self, words: list[str], choices: int) -> bytes:
        text = " ".join(words)
        said: dict[str, object] = {"text": text}
        if self.chat:
            said = {"message": {"role": "assistant", "content": text, "refusal": None}}
        return _json(
            self._head("chat.completion" if self.chat else "text_completion")
            | {
                "choices": [
                    {"index": index, **said, "logprobs": None, "finish_reason": self.finish_reason}
                    for index in range(choices)
                ],
                "usage": self.usage,
            }
        )

    def event(self, indices: range, text: str, *, role: str | None = None, finish: str | None = None) -> bytes:
        """A piece of every choice."""
        said: dict[str, object] = {"text": text}
        if self.chat:
            delta = ({} if role is None else {"role": role}) | ({} if finish else {"content": text})
            said = {"delta": delta}
        return self._event([{"index": index, **said, "finish_reason": finish} for index in indices])

    def last_event(self) -> bytes:
        """Usage, and no choice."""
        return self._event([], self.usage)

    def _event(self, choices: list[dict[str, object]], usage: dict[str, int] | None = None) -> bytes:
        head = self._head("chat.completion.chunk" if self.chat else "text_completion")
        return b"data: " + _json(head | {"choices": choices, "usage": usage}) + b"\n\n"

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": 0, "model": self.model}


class _Whole:
    is_event_stream = False

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        return self._body

    async def read_chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing is held."""


class _Stream:
    status = 200
    is_event_stream = True

    def __init__(
        self, shape: _Shape, words: list[str], choices: int, delay: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._delay = delay
        self._sleep = sleep
        self._events = self._play(shape, words, range(choices))

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        return b"".join([chunk for chunk, _ in self._events])

    async def read_chunk(self) -> bytes:
        event, waits = next(self._events, (b"", False))
        if waits:  # also for no time: a long answer would keep everybody else from the loop
            await self._sleep(self._delay)
        return event

    def close(self) -> None:
        """Nothing is held."""

    @staticmethod
    def _play(shape: _Shape, words: list[str], indices: range) -> Iterator[tuple[bytes, bool]]:
        if shape.chat:
            yield shape.event(indices, "", role="assistant"), False
        for place, word in enumerate(words):
            yield shape.event(indices, word if place == 0 else f" {word}"), True
        yield shape.event(indices, "", finish=shape.finish_reason), False
        yield shape.last_event(), False
        yield b"data: [DONE]\n\n", False


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
