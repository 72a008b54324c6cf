"""Waiting for changes, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def heard_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether ``event`` is set before the time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Debounce:
    """One waiter, many markers. Times are in seconds of ``clock``."""

    def __init__(self, quiet: float, longest: float, *, clock: Callable[[], float]) -> None:
        self._quiet = quiet
        self._longest = longest
        self._clock = clock
        self._marked = asyncio.Event()
        self._first: float | None = None
        self._last = 0.0

    def mark(self) -> None:
        """Something changed."""
        self._last = self._clock()
        if self._first is None:
            self._first = self._last
        self._marked.set()

    async def settled(self) -> None:
        """Until something has changed and nothing more came for the quiet time, or the longest wait is over."""
        await self._marked.wait()
        while True:
            first = self._last if self._first is None else self._first
            left = min(self._last + self._quiet, first + self._longest) - self._clock()
            if left <= 0:
                break
            await asyncio.sleep(left)
        self._first = None
        self._marked.clear()
