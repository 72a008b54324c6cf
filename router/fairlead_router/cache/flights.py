"""Identical requests under way in this process: the first one flies, the others wait for it to land.

Nobody is worse off for waiting: if the first fails or its client hangs up, the next in line takes its place, and who has
waited long enough goes on alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class Turn(Enum):
    """What a request does that was given no answer."""

    LEAD = auto()
    """Go, and :meth:`Flights.land` whatever comes of it."""
    ALONE = auto()
    """Go; nobody waits for this one."""
    LATE = auto()
    """The time to wait is over, and the first is still under way."""


class Flights(Generic[T]):
    """One for each kind of answer that can be shared."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[T | Turn]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> int:
        """How many wait for somebody else's answer."""
        return sum(map(len, self._waiting.values()))

    async def enter(self, name: str, seconds: float) -> T | Turn:
        """Lead if nobody does; else the answer of who does, or a turn, within ``seconds``."""
        waiting = self._waiting.get(name)
        if waiting is None:
            self._waiting[name] = deque()
            return Turn.LEAD
        place: asyncio.Future[T | Turn] = asyncio.get_running_loop().create_future()
        waiting.append(place)
        try:
            await asyncio.wait((place,), timeout=max(0.0, seconds))
        except asyncio.CancelledError:
            if not place.done():
                waiting.remove(place)
            elif place.result() is Turn.LEAD:
                self.hand_over(name)
            raise
        if place.done():
            return place.result()
        waiting.remove(place)  # It stands in front, or nearly: who came first has waited longest.
        return Turn.LATE

    def land(self, name: str, answer: T | None) -> None:
        """Give ``answer`` to all who wait; ``None``: it cannot be shared, and all go on alone."""
        for place in self._waiting.pop(name, ()):
            place.set_result(Turn.ALONE if answer is None else answer)

    def hand_over(self, name: str) -> None:
        """The leader came to nothing: the next who still waits leads."""
        waiting = self._waiting.get(name)
        if waiting:
            waiting.popleft().set_result(Turn.LEAD)
        else:
            self._waiting.pop(name, None)
