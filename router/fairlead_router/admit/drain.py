"""How soon it is worth coming back: from the rate at which places become free while all are taken."""

from __future__ import annotations

_WINDOW_SECONDS = 10.0
MAX_RETRY_SECONDS = 60.0


class DrainRate:
    """Counts the places given back since the router became full. Nothing is measured while there is room."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._left = 0
        self._before = 0.0
        """Places a second in the window before this one; zero if there was none."""

    def left(self, now: float) -> None:
        """A request ended while others waited or were refused. ``now``: monotonic seconds."""
        if self._since is None:
            return
        self._left += 1
        elapsed = now - self._since
        if elapsed >= _WINDOW_SECONDS:
            self._before = self._left / elapsed
            self._since, self._left = now, 0

    def full(self, now: float) -> None:
        """A request found no place."""
        if self._since is None:
            self._since, self._left = now, 0

    def roomy(self) -> None:
        """There is room again: what was measured is history."""
        self._since, self._left, self._before = None, 0, 0.0

    def retry_after(self, ahead: int, now: float) -> float:
        """Seconds until ``ahead`` requests will have been served, between 1 and 60.

        While nothing has ended, the longest time it can have taken so far stands for one request.
        """
        elapsed = 0.0 if self._since is None else now - self._since
        rate = max(self._left, 1) / elapsed if elapsed > 0 else 0.0
        if self._left == 0 and self._before > 0:
            rate = self._before
        seconds = (ahead + 1) / rate if rate > 0 else 0.0
        return min(MAX_RETRY_SECONDS, max(1.0, seconds))
