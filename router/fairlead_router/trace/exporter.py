"""Hands what was recorded to a collector from a thread of its own: a bounded queue, batches, and a count of what was lost.

A collector that is away costs nothing but the traces: the queue fills, what does not fit is counted, no request waits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger("fairlead.trace")

T = TypeVar("T")

_FLUSH_SECONDS = 1.0
_MAX_WAITING = 4096
_MAX_BATCH = 512
_CLOSE_SECONDS, _ABORT_SECONDS = 3.0, 0.5


class Exporter(Generic[T]):
    """Queues items for ``send``, which takes a batch and says what went wrong, or ``None``.

    ``tell`` hears, on the exporter's thread, that delivery has begun to fail (with the reason) or works again (``None``).
    """

    def __init__(
        self,
        signal: str,
        send: Callable[[list[T]], str | None],
        abort: Callable[[], None],
        tell: Callable[[str | None], None],
        *,
        max_waiting: int = _MAX_WAITING,
        flush_seconds: float = _FLUSH_SECONDS,
    ) -> None:
        self.signal = signal
        self.exported = 0
        self._overflowed = 0
        self._undelivered = 0
        self._send = send
        self._abort = abort
        self._tell = tell
        self._waiting: deque[T] = deque()
        self._max_waiting = max_waiting
        self._flush_seconds = flush_seconds
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"export-{signal}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """What found no room in the queue, and what no collector took."""
        return self._overflowed + self._undelivered  # each counted on one thread only

    def put(self, item: T) -> None:
        """Queue ``item``, or drop and count it."""
        if len(self._waiting) >= self._max_waiting:
            self._overflowed += 1
        else:
            self._waiting.append(item)

    def close(self) -> None:
        """Send what is queued, for a few seconds at most, and end the thread. Blocks."""
        self._stop.set()
        self._thread.join(timeout=_CLOSE_SECONDS)
        self._abort()
        self._thread.join(timeout=_ABORT_SECONDS)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(self._flush_seconds)
            while batch := self._batch():
                self._deliver(batch)
                if self._failing and stopping:
                    self._undelivered += len(self._waiting)
                    break

    def _batch(self) -> list[T]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(len(waiting), _MAX_BATCH))]

    def _deliver(self, batch: list[T]) -> None:
        try:
            problem = self._send(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on and requests do not notice
            problem = type(error).__name__
        if problem is None:
            self.exported += len(batch)
        else:
            self._undelivered += len(batch)
        if (problem is not None) == self._failing:
            return
        self._failing = problem is not None
        if problem is None:
            logger.info("%s are delivered again", self.signal)
        else:
            logger.warning("%s are not delivered: %s", self.signal, problem)
        self._tell(problem)
