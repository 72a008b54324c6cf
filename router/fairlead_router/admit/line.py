"""The order in which waiting requests are served: by priority, first come first served within one, nobody starved."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from fairlead_router.admit.priority import Priority

T = TypeVar("T")


class Line(Generic[T]):
    """Waiting tickets. Every operation takes constant time.

    A ticket counts as if it had come ``head_start`` seconds later for each step that its priority is below the highest,
    and the one that came first by that reckoning is next. So a low ticket is passed by high ones, but only by those that
    came less than ``2 * head_start`` seconds after it: it cannot starve, however many of them come.
    """

    def __init__(self, head_start: float) -> None:
        self._handicaps = {each: (Priority.HIGH - each) * head_start for each in Priority}
        self._lanes: dict[Priority, OrderedDict[T, float]] = {each: OrderedDict() for each in reversed(Priority)}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def join(self, ticket: T, priority: Priority, now: float) -> None:
        """``now``: monotonic seconds, never less than at the join before."""
        self._lanes[priority][ticket] = now + self._handicaps[priority]
        self._length += 1

    def leave(self, ticket: T, priority: Priority) -> None:
        """Give up; no error if the ticket is no longer waiting."""
        if self._lanes[priority].pop(ticket, None) is not None:
            self._length -= 1

    def next(self) -> T | None:
        """Take out who is next."""
        best: OrderedDict[T, float] | None = None
        earliest = 0.0
        for lane in self._lanes.values():
            if lane and ((first := next(iter(lane.values()))) < earliest or best is None):
                best, earliest = lane, first
        if best is None:
            return None
        self._length -= 1
        return best.popitem(last=False)[0]

    def yields_to(self, priority: Priority) -> bool:
        """Whether anybody waiting has a lower priority."""
        return any(lane for each, lane in self._lanes.items() if each < priority)

    def displace(self, priority: Priority) -> T | None:
        """Take out the last comer of the lowest priority below ``priority``, who would be served last of all."""
        for each in Priority:
            if each < priority and self._lanes[each]:
                self._length -= 1
                return self._lanes[each].popitem()[0]
        return None
