"""The room's door: what the pipeline asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead_router.cache.answers import ResponseCache
from fairlead_router.cache.counts import CacheCounts, Fault
from fairlead_router.cache.leases import Leases
from fairlead_router.cache.question import CacheQuestion, Directives, Question
from fairlead_router.cache.repeats import HEADER, Repeats
from fairlead_router.cache.ticket import Ticket
from fairlead_router.config.table import PolicyEntry

logger = logging.getLogger("fairlead.cache")

_MAX_HELD_BYTES = 64 * 1024 * 1024
"""Answers that are being taken down or on their way into the store, all together."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes."""

    max_entry_bytes: int
    """Largest answer in the response cache."""
    max_repeat_bytes: int
    """Largest answer kept for an Idempotency-Key."""


class Reuse:
    """One per process. ``answers`` or ``repeats`` is ``None`` where it is switched off or cannot work."""

    def __init__(
        self,
        answers: ResponseCache | None,
        repeats: Repeats | None,
        counts: CacheCounts,
        limits: Limits,
        *,
        wall: Callable[[], float],
        leases: Leases | None = None,
        degraded: str | None = None,
        max_held_bytes: int = _MAX_HELD_BYTES,
    ) -> None:
        self.answers = answers
        self.repeats = repeats
        self.counts = counts
        self.limits = limits
        self.wall = wall
        self.degraded = degraded
        """The named state in which nothing is kept, if it is in one."""
        self._leases = leases
        self._max_held_bytes = max_held_bytes
        self._held = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def asks_cache(self, policy: PolicyEntry | None) -> bool:
        """Whether requests of ``policy`` may be answered from the response cache."""
        return self.answers is not None and policy is not None and policy.fragment.cache is not None

    def wants(self, policy: PolicyEntry | None, headers: Mapping[str, str]) -> bool:
        """Whether a request needs a ticket. Most need none, and this is all they pay."""
        return (policy is not None and policy.fragment.cache is not None) or HEADER in headers

    def explain(self, policy: PolicyEntry | None, headers: Mapping[str, str]) -> CacheQuestion | None:
        """Whether a request would ask the response cache; ``None`` if its policy has none."""
        cache = None if policy is None else policy.fragment.cache
        if cache is None:
            return None
        directives, why = Directives.of(headers), None
        if self.answers is None:
            why = self.degraded
        elif directives.fresh:
            why = f"the request says {'no-store' if directives.unkept else 'no-cache'}"
        return CacheQuestion(why is None, cache.ttl_seconds, why)

    def ticket(self, question: Question) -> Ticket:
        """For a request that :meth:`wants` one."""
        # ``no-store`` weighs more: whoever sends it has no answer kept, and no repeat answered.
        repeatable = (
            self.repeats is not None and HEADER in question.headers and not Directives.of(question.headers).unkept
        )
        return Ticket(self, question, cached=self.asks_cache(question.policy), repeatable=repeatable)

    def take(self, size: int) -> bool:
        """Whether ``size`` more bytes of an answer may be held; then :meth:`give_back` them. A refusal is counted."""
        if self._held + size > self._max_held_bytes:
            self.counts.fault(Fault.CROWDED)
            return False
        self._held += size
        return True

    def give_back(self, size: int) -> None:
        """They are held no longer."""
        self._held -= size

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work`` beside the request."""
        task = asyncio.create_task(work, name="keep an answer")
        self._under_way.add(task)
        task.add_done_callback(self._over)

    async def close(self) -> None:
        """Wait for what is on its way; the store's own time limits bound it."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._leases is not None:
            await self._leases.close()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an answer could not be kept: %s", type(error).__name__, exc_info=error)
