"""Bounds on what the router takes in at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from fairlead_router.admit.buffers import Buffers, NoRoom
from fairlead_router.admit.drain import DrainRate
from fairlead_router.admit.line import Line
from fairlead_router.admit.priority import Priority
from fairlead_router.errors import RouterError, buffers_full, overloaded, queue_timeout, too_large

_HEAD_STARTS = 4
"""A step of priority is worth this fraction of the longest wait, so that the lowest is overtaken for half of it at most."""


class Refusal(Enum):
    """Why a request, or a connection, was not let in."""

    QUEUE_FULL = "queue_full"
    QUEUE_TIMEOUT = "queue_timeout"
    DISPLACED = "displaced"
    BUFFERS_FULL = "buffers_full"
    CONNECTIONS = "connections"
    ADDRESS_CONNECTIONS = "address_connections"


class Admission:
    """Counts the requests in service, lets others wait for a place, and refuses what is over a limit.

    A place is taken with :meth:`take`, which does not wait, or else with :meth:`wait`; it is given back with :meth:`leave`.
    """

    def __init__(
        self,
        *,
        max_body_bytes: int,
        max_concurrent_requests: int,
        max_queued_requests: int = 0,
        queue_seconds: float = 0.0,
        max_buffered_bytes: int = 1 << 62,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self.queue_seconds = queue_seconds
        self.buffers = Buffers(max_buffered_bytes)
        self._max_concurrent = max_concurrent_requests
        self._max_queued = max_queued_requests
        self._clock = clock
        self.waited: Callable[[float], None] = lambda seconds: None
        """Is told the seconds that each queued request spent in line, whatever came of it."""
        self._line: Line[asyncio.Future[None]] = Line(queue_seconds / _HEAD_STARTS)
        self._drain = DrainRate()
        self._measuring = False
        self.in_flight = 0
        self.refusals: Counter[Refusal] = Counter()

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return len(self._line)

    @property
    def refused(self) -> int:
        """Requests and connections refused so far for want of room."""
        return self.refusals.total()

    @property
    def is_full(self) -> bool:
        """Whether a request that came now would have to wait."""
        return self.in_flight >= self._max_concurrent

    def take(self) -> bool:
        """Take a place if there is one. Who waits is served first: places that become free are handed on."""
        if self.in_flight >= self._max_concurrent:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give a place back, or rather hand it to who is next in line."""
        if self._measuring:
            self._drain.left(self._clock())
            while (waiter := self._line.next()) is not None:
                if not waiter.done():
                    waiter.set_result(None)
                    return
            if self.in_flight * 2 <= self._max_concurrent:
                self._drain.roomy()
                self._measuring = False
        self.in_flight -= 1

    def check_room(self, priority: Priority) -> None:
        """Refuse what could not even wait, before its body is read. Raises ``RouterError`` 503."""
        if self.is_full and len(self._line) >= self._max_queued and not self._line.yields_to(priority):
            raise self._full()

    async def wait(self, priority: Priority, patience: float) -> float:
        """Wait in line for a place, at most ``patience`` seconds; the seconds waited.

        Raises ``RouterError`` 503 when the line is full, when the wait was too long, or when a request of higher priority
        took the place in line. Cancelled, the place in line is free at once.
        """
        if self.take():
            return 0.0
        start = self._note_full()
        if len(self._line) >= self._max_queued:
            displaced = self._line.displace(priority)
            if displaced is None:
                raise self._full()
            if not displaced.done():  # else its client has just left
                self.refusals[Refusal.DISPLACED] += 1
                displaced.set_exception(self._overloaded())
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._line.join(waiter, priority, start)
        timer = loop.call_later(min(patience, self.queue_seconds), self._too_long, waiter, priority)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave()  # The place came in the very moment that the client left.
            raise
        finally:
            timer.cancel()
            self._line.leave(waiter, priority)
            waited = self._clock() - start
            self.waited(waited)
        return waited

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place without waiting. Raises ``RouterError`` 503 when there is none."""
        if not self.take():
            raise self._full()
        try:
            yield
        finally:
            self.leave()

    def check_length(self, content_length: int | None) -> None:
        """Refuse a body by what its header says, before a byte of it is read. Raises ``RouterError`` 413."""
        if content_length is not None and content_length > self.max_body_bytes:
            raise too_large(self.max_body_bytes)

    def hold(self, size: int) -> None:
        """Count ``size`` bytes of a body as held in memory. Raises ``RouterError`` 503, having counted nothing."""
        try:
            self.buffers.take(size)
        except NoRoom as error:
            self.refusals[Refusal.BUFFERS_FULL] += 1
            raise buffers_full(self.buffers.limit) from error

    def count_refusal(self, reason: Refusal) -> None:
        """Something was refused elsewhere for want of room."""
        self.refusals[reason] += 1

    def _too_long(self, waiter: asyncio.Future[None], priority: Priority) -> None:
        if waiter.done():
            return
        self._line.leave(waiter, priority)
        self.refusals[Refusal.QUEUE_TIMEOUT] += 1
        retry_after = self._drain.retry_after(len(self._line), self._clock())
        waiter.set_exception(queue_timeout(retry_after))

    def _note_full(self) -> float:
        now = self._clock()
        self._measuring = True
        self._drain.full(now)
        return now

    def _full(self) -> RouterError:
        self._note_full()
        self.refusals[Refusal.QUEUE_FULL] += 1
        return self._overloaded()

    def _overloaded(self) -> RouterError:
        retry_after = self._drain.retry_after(len(self._line), self._clock())
        return overloaded(self._max_concurrent, len(self._line), retry_after)
