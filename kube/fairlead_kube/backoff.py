"""Pauses between tries: exponential, with full jitter, for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Seconds to wait before each next try: uniform in [half, whole] of a doubling bound.

    The lower half keeps a broken server from being asked at once again by a lucky draw.
    """

    draw: Callable[[], float]
    """Uniform in [0, 1)."""
    base: float = 0.2
    cap: float = 5.0
    _bound: float = 0.0

    def next(self) -> float:
        """Seconds."""
        self._bound = min(self.cap, self._bound * 2 or self.base)
        return self._bound * (0.5 + 0.5 * self.draw())

    def reset(self) -> None:
        """Begin anew after a success."""
        self._bound = 0.0


@dataclass(frozen=True, slots=True)
class EndlessBackoffs:
    """An iterable that never ends and can be iterated again: retries that never give up."""

    draw: Callable[[], float]
    base: float = 0.2
    cap: float = 15.0

    def __iter__(self) -> Iterator[float]:
        backoff = Backoff(self.draw, self.base, self.cap)
        while True:
            yield backoff.next()
