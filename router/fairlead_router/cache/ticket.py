"""One request's way through the room: look up before the dispatch, remember after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fairlead_contract.decision import CacheResult, CacheUse, Usage
from fairlead_router.cache.answers import CacheHold
from fairlead_router.cache.completeness import is_complete
from fairlead_router.cache.kept import Kept
from fairlead_router.cache.question import Question
from fairlead_router.cache.repeats import RepeatHold

if TYPE_CHECKING:
    from fairlead_router.cache.reuse import Reuse

_READ_AT_ONCE = 32 * 1024
"""Bytes of an answer that are read through in well under a millisecond; more are read off the loop."""
_WORDS = {
    CacheResult.HIT: "hit",
    CacheResult.SHARED: "hit",
    CacheResult.MISS: "miss",
    CacheResult.BYPASS: "bypass",
}


class Ticket:
    """Made for requests that may be answered again. :meth:`close` it in any case."""

    __slots__ = (
        "_cache",
        "_captured",
        "_choices",
        "_given",
        "_held",
        "_question",
        "_repeat",
        "_room",
        "_settled",
        "_stream",
        "_type",
        "replayed",
        "used",
    )

    def __init__(self, room: Reuse, question: Question, *, cached: bool, repeatable: bool) -> None:
        self._room = room
        self._question: Question | None = question
        self._type, self._stream, self._choices = (
            question.request.type,
            question.request.stream,
            question.request.choices,
        )
        self._given: Kept | None = None
        self._cache = CacheHold(CacheResult.BYPASS) if cached else None
        self._repeat = RepeatHold() if repeatable else None
        self._captured: list[bytes] | None = None
        self._held = 0
        self._settled = False
        self.used: CacheUse | None = None
        """For the record; ``None``: the cache was not asked."""
        self.replayed = False
        """Whether the answer is that of an earlier request with the same Idempotency-Key."""

    @property
    def waited(self) -> float:
        """Seconds spent waiting for answers to others."""
        return sum(hold.waited for hold in (self._cache, self._repeat) if hold is not None)

    def headers(self) -> dict[str, str]:
        """What the client is told."""
        told = {} if self.used is None else {"x-fairlead-cache": _WORDS[self.used.result]}
        if self._given is not None:
            told["x-fairlead-model"] = self._given.model  # It may be gone from the table by now.
        if self.replayed:
            told["x-fairlead-idempotent-replay"] = "true"
        return told

    async def lookup(self) -> Kept | None:
        """The answer to give again. Once only. Raises ``RouterError`` for a repeat that cannot be answered."""
        question, self._question = self._question, None  # It holds the body, which is not needed for what comes later.
        assert question is not None, "a ticket is good for one request"
        self._given = kept = await self._look_up(question)
        if kept is not None:
            self._room.counts.served(len(kept.body))
        return kept

    async def _look_up(self, question: Question) -> Kept | None:
        room = self._room
        if self._repeat is not None and room.repeats is not None:
            await room.repeats.ask(question, self._repeat)
            if (kept := self._repeat.kept) is not None:
                self.replayed = True
                return kept
        cache = None if question.policy is None else question.policy.fragment.cache
        if self._cache is not None and room.answers is not None and cache is not None:
            await room.answers.ask(question, cache, self._cache)
            kept = self._cache.kept
            age = 0 if kept is None else max(0, int(room.wall() - kept.at))
            self.used = CacheUse(result=self._cache.result, age_seconds=age)
            room.counts.asked(self._cache.result)
            if kept is not None:
                self._settle(kept)
            return kept
        return None

    def tee(self, write: Callable[[bytes], Awaitable[None]]) -> Callable[[bytes], Awaitable[None]]:
        """``write``, with what is written kept in mind as long as it is little enough to be kept for good."""
        limit = self._limit()
        if not limit:
            return write
        self._captured = []

        def write_and_capture(data: bytes) -> Awaitable[None]:
            if self._captured is not None:
                size = len(data)
                if self._held + size <= limit and self._hold(size):
                    self._captured.append(data)
                else:
                    self._captured = None
                    self._give_back()
            return write(data)

        return write_and_capture

    def answered(self, model: str, usage: Usage, body: bytes | None = None) -> None:
        """A provider gave the whole answer: ``body``, or what was written through :meth:`tee`. Returns at once."""
        kept = None
        if self._captured is not None:
            kept = Kept(model, self._stream, b"".join(self._captured), usage, self._room.wall())
            self._captured = None
        elif body is not None and len(body) <= self._limit() and self._hold(len(body)):
            kept = Kept(model, self._stream, body, usage, self._room.wall())
        self._settle(kept)

    def close(self) -> None:
        """The request is over. Without an answer, the next who waits for one takes its place. Returns at once."""
        if not self._settled:
            self._settled = True
            self._captured = None
            self._give_back()
            if self._leads():
                self._room.spawn(self._give_up())

    def _hold(self, size: int) -> bool:
        if not self._room.take(size):
            return False
        self._held += size
        return True

    def _give_back(self) -> None:
        self._room.give_back(self._held)
        self._held = 0

    def _leads(self) -> bool:
        return any(hold is not None and (hold.leads or hold.claimed) for hold in (self._cache, self._repeat))

    def _limit(self) -> int:
        cache, repeat = self._cache, self._repeat
        return max(
            0 if cache is None or cache.name is None else self._room.limits.max_entry_bytes,
            0 if repeat is None else self._room.limits.max_repeat_bytes,
        )

    def _settle(self, kept: Kept | None) -> None:
        self._settled = True
        self._room.spawn(self._keep(kept))

    async def _keep(self, kept: Kept | None) -> None:
        """Both are told in any case, or those who wait would wait in vain."""
        room, cache, repeat = self._room, self._cache, self._repeat
        try:
            if repeat is not None and room.repeats is not None:
                fits = kept is not None and len(kept.body) <= room.limits.max_repeat_bytes
                await room.repeats.keep(repeat, kept if fits else None)
            if cache is not None and room.answers is not None and cache.kept is None:
                if kept is not None and cache.name is not None and await self._is_worth_keeping(kept):
                    await room.answers.keep(cache, kept)
                else:
                    await room.answers.pass_over(cache)
        finally:
            self._give_back()
            await self._give_up()

    async def _give_up(self) -> None:
        room = self._room
        if self._repeat is not None and room.repeats is not None:
            await room.repeats.give_up(self._repeat)
        if self._cache is not None and room.answers is not None:
            await room.answers.give_up(self._cache)

    async def _is_worth_keeping(self, kept: Kept) -> bool:
        size = len(kept.body)
        if size > self._room.limits.max_entry_bytes:
            return False

        def complete() -> bool:
            return is_complete(kept.body, type_=self._type, stream=kept.stream, choices=self._choices)

        return complete() if size <= _READ_AT_ONCE else await asyncio.to_thread(complete)
