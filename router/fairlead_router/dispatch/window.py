"""Outcomes of the last seconds, counted in a fixed number of buckets: the memory is the same at any rate.

A window reaches back by whole buckets, so it is up to a tenth shorter than it is told to be, and never longer.
"""

from __future__ import annotations

BUCKETS = 10


class OutcomeWindow:
    """Successes and failures by time. The widest window that anybody asked for sets the width of a bucket."""

    __slots__ = ("_failures", "_index", "_successes", "_width", "failures", "successes")

    def __init__(self) -> None:
        self._width = 0.0
        self._index = 0
        self.clear()

    def clear(self) -> None:
        """Forget all outcomes."""
        self._successes = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self.successes = 0
        """In all buckets, as of the last outcome."""
        self.failures = 0

    def add(self, now: float, success: bool, window_seconds: float) -> None:
        """Count one outcome at ``now``, in seconds that never go back."""
        self._roll(now, window_seconds)
        place = self._index % BUCKETS
        if success:
            self._successes[place] += 1
            self.successes += 1
        else:
            self._failures[place] += 1
            self.failures += 1

    def counts(self, now: float, window_seconds: float) -> tuple[int, int]:
        """Successes and failures of the last ``window_seconds``."""
        self._roll(now, window_seconds)
        reach = BUCKETS if window_seconds >= BUCKETS * self._width else max(1, int(window_seconds / self._width))
        if reach == BUCKETS:
            return self.successes, self.failures
        places = [place % BUCKETS for place in range(self._index - reach + 1, self._index + 1)]
        return sum([self._successes[place] for place in places]), sum([self._failures[place] for place in places])

    def latest(self, now: float) -> tuple[int, int]:
        """Successes and failures of the widest window so far."""
        return self.counts(now, BUCKETS * self._width) if self._width else (0, 0)

    def _roll(self, now: float, window_seconds: float) -> None:
        width = window_seconds / BUCKETS
        if width > self._width:
            self._widen(now, width)
            return
        index = int(now / self._width)
        passed = index - self._index
        if passed <= 0:
            return
        if passed >= BUCKETS:
            self.clear()
        else:
            for place in range(self._index + 1, index + 1):
                place %= BUCKETS
                self.successes -= self._successes[place]
                self.failures -= self._failures[place]
                self._successes[place] = self._failures[place] = 0
        self._index = index

    def _widen(self, now: float, width: float) -> None:
        """A policy with a longer window has come: what was counted stands in the newest bucket from now on."""
        if self._width:
            self._roll(now, BUCKETS * self._width)
        successes, failures = self.successes, self.failures
        self.clear()
        self._width = width
        self._index = int(now / width)
        place = self._index % BUCKETS
        self._successes[place], self._failures[place] = successes, failures
        self.successes, self.failures = successes, failures
