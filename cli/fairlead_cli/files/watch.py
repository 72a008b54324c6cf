"""Notices that files changed, by looking at them again and again.

Polling, not inotify: a mounted ConfigMap changes by swapping a symlink two levels up, editors rename over the file,
``git checkout`` deletes and recreates folders, and network mounts and some container file systems send no events at
all. Each of these needs watches to be moved at the right moment, and each missed moment is an edit that silently never
arrives. Comparing what is there with what was there has none of these cases, and for folders of a size that people
keep by hand it costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

INTERVAL_SECONDS = 0.025
LATEST_SECONDS = 0.150
"""A change is acted on no later than this after it was first seen, even if writing goes on."""
_COST_SHARE = 0.05
_COST_SMOOTHING = 0.2


class Signature(Protocol):
    """Anything that compares equal while nothing changes."""

    def __eq__(self, other: object, /) -> bool: ...


@dataclass(slots=True)
class ChangeDetector:
    """Decides when a change is to be acted on: once it has settled, or when it takes too long to settle."""

    _acted_on: Signature | None = None
    _last: Signature | None = None
    _since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether a change was seen and waits for settling."""
        return self._since is not None

    def observe(self, signature: Signature, now: float) -> bool:
        """Take one look into account. Returns whether to act now.

        The very first look counts as a change: what was written between the caller's own first read and this look
        would otherwise go unnoticed.
        """
        previous, self._last = self._last, signature
        if signature == self._acted_on:
            self._since = None
            return False
        if self._since is None:
            self._since = now
            return False
        if signature == previous:
            self._acted_on, self._since = signature, None
            return True
        if now + INTERVAL_SECONDS > self._since + LATEST_SECONDS:
            # Not settled: this look must count as different from the next, or its last write could be lost.
            self._acted_on, self._since = None, None
            return True
        return False


@dataclass(slots=True)
class Pace:
    """How long to wait between looks, so that looking costs at most a twentieth of a core."""

    _cost: float = 0.0

    def spent(self, seconds: float) -> None:
        """Take the cost of one look into account; one slow look must not slow down many."""
        self._cost += (seconds - self._cost) * _COST_SMOOTHING

    def delay(self, *, pending: bool) -> float:
        """Seconds until the next look. A change that waits for settling is looked at without thrift."""
        if pending:
            return max(INTERVAL_SECONDS, self._cost)
        return max(INTERVAL_SECONDS, self._cost * (1 / _COST_SHARE - 1))


def watch(
    look: Callable[[], Signature],
    act: Callable[[], None],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], bool],
) -> None:
    """Call ``act`` after each change, until ``sleep`` returns ``True``."""
    detector, pace = ChangeDetector(), Pace()
    while not sleep(pace.delay(pending=detector.pending)):
        started = clock()
        signature = look()
        now = clock()
        pace.spent(now - started)
        if detector.observe(signature, now):
            act()
