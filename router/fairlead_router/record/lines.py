"""Writes lines from the event loop without ever waiting: a bounded queue and one thread.

When the reader of the output is slower than the router, lines are dropped and counted; requests do not wait for a log.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

_FLUSH_SECONDS = 0.05
_MAX_LINES = 20_000


class LineSink(Protocol):
    """Takes complete lines."""

    def put(self, line: bytes) -> None:
        """Queue one line (with its line feed), or drop and count it."""
        ...


class LineWriter:
    """A :class:`LineSink` over a blocking ``write`` function, called from a thread of its own with batches of lines."""

    def __init__(self, write: Callable[[bytes], object], *, max_lines: int = _MAX_LINES) -> None:
        self._write = write
        self._lines: deque[bytes] = deque()
        self._max_lines = max_lines
        self._stop = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """See :class:`LineSink`."""
        if len(self._lines) >= self._max_lines:
            self.dropped += 1
        else:
            self._lines.append(line)

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_FLUSH_SECONDS)
            batch = []
            while self._lines:
                batch.append(self._lines.popleft())
            if batch:
                try:
                    self._write(b"".join(batch))
                except (OSError, ValueError):
                    self.dropped += len(batch)
