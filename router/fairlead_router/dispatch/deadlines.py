"""Time limits of everything that is waited for, checked together by one timer.

A timer of its own for each call, moved at each event, took about a fifth of a stream of 54 events (uvloop makes a timer
anew to move it). Nobody needs the millisecond: timeouts are stated in seconds.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

_TICK_SECONDS = 0.025
"""How late a limit may be noticed."""


class Deadline:
    """As ``asyncio.timeout``: raises ``TimeoutError`` out of its block, after a time or after a silence."""

    __slots__ = (
        "_at",
        "_cancelling",
        "_deadlines",
        "_expired",
        "_idle_seconds",
        "_reads_seen",
        "_silent_since",
        "_task",
        "ends_at_stop",
        "reading",
        "reads",
    )

    def __init__(
        self, deadlines: Deadlines, now: float, seconds: float, idle_seconds: float, ends_at_stop: bool
    ) -> None:
        self._deadlines = deadlines
        self.ends_at_stop = ends_at_stop
        self._expired = False
        self._at = now + seconds
        self._idle_seconds = idle_seconds
        self._silent_since = now
        self._reads_seen = 0
        self.reads = 0
        """Counted up by the block at the start of each read: then silence begins anew."""
        self.reading = False
        """Set by the block while it reads. Only then does silence count."""

    def __enter__(self) -> Deadline:
        task = asyncio.current_task()
        assert task is not None, "a deadline ends a task's waiting"
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.forget(self)
        # Whoever else cancelled the task meant it: then the cancellation goes on, as it does with ``asyncio.timeout``.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def check(self, now: float) -> bool:
        """End the block if its time has passed or a read has waited too long; whether it did."""
        if not self.reading or self.reads != self._reads_seen:
            self._reads_seen = self.reads
            self._silent_since = now
        stopped = self.ends_at_stop and self._deadlines.stopping
        if now < self._at and now - self._silent_since < self._idle_seconds and not stopped:
            return False
        self._expired = True
        self._task.cancel()
        return True


class Deadlines:
    """The limits that run in one event loop. Without any, no timer runs."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._ticking = False
        self.stopping = False

    def after(self, seconds: float, *, idle_seconds: float = math.inf, ends_at_stop: bool = False) -> Deadline:
        """A limit that passes so many seconds from now, or when a single read has waited ``idle_seconds``.

        With ``ends_at_stop`` it passes too when the router has no more time.
        """
        return Deadline(self, asyncio.get_running_loop().time(), seconds, idle_seconds, ends_at_stop)

    def stop(self) -> None:
        """The router ends: whoever can still say so to its client does it now."""
        self.stopping = True

    def watch(self, deadline: Deadline) -> None:
        """Begin to look at ``deadline``."""
        self._running.add(deadline)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def forget(self, deadline: Deadline) -> None:
        """Stop to look at ``deadline``."""
        self._running.discard(deadline)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._running.difference_update([deadline for deadline in self._running if deadline.check(now)])
        self._ticking = bool(self._running)
        if self._ticking:
            loop.call_later(_TICK_SECONDS, self._tick)
