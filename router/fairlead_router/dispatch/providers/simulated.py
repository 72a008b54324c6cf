"""A provider that needs no network: answers, delays and failures as its ModelProvider says.

What it answers depends on the request's bytes, the model and the seed, so that the same request gets the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from fairlead_router.dispatch.providers.base import Answer, Call, CallFailed

_TEXT = (
    "a simulated answer steers by the same lights as a real one: it has a first word, a length and a last word, "
    "and costs nothing but the time it is told to take;"
)
_WORDS = tuple(_TEXT.split())


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
        words = [_WORDS[(number + place) % len(_WORDS)] for place in range(min(tokens, limit or tokens))]
        shape = _Shape(
            id=f"chatcmpl-{number:016x}",
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


class _Shape(msgspec.Struct, frozen=True):
    id: str
    model: str
    finish_reason: str
    usage: dict[str, int]

    def whole(self, words: list[str], choices: int) -> bytes:
        message = {"role": "assistant", "content": " ".join(words), "refusal": None}
        return _json(
            self._head("chat.completion")
            | {
                "choices": [
                    {"index": index, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
                    for index in range(choices)
                ],
                "usage": self.usage,
            }
        )

    def event(self, choices: list[dict[str, object]], usage: dict[str, int] | None = None) -> bytes:
        chunk = self._head("chat.completion.chunk") | {"choices": choices, "usage": usage}
        return b"data: " + _json(chunk) + b"\n\n"

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": 0, "model": self.model}


class _Whole:
    is_event_stream = False
    retry_after = (None, None)

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

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
    retry_after = (None, None)

    def __init__(
        self, shape: _Shape, words: list[str], choices: int, delay: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._delay = delay
        self._sleep = sleep
        self._events = self._play(shape, words, range(choices))

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
        start: dict[str, object] = {"role": "assistant", "content": ""}
        yield shape.event([{"index": index, "delta": start, "finish_reason": None} for index in indices]), False
        for place, word in enumerate(words):
            delta: dict[str, object] = {"content": word if place == 0 else f" {word}"}
            yield shape.event([{"index": index, "delta": delta, "finish_reason": None} for index in indices]), True
        finish = shape.finish_reason
        yield shape.event([{"index": index, "delta": {}, "finish_reason": finish} for index in indices]), False
        yield shape.event([], shape.usage), False
        yield b"data: [DONE]\n\n", False


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
