"""Random numbers that can be replayed: a keyed hash of what they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

from fairlead_contract.decision import Draw


class Weighty(Protocol):
    """Something with a share."""

    @property
    def weight(self) -> int:
        """Relative to the others."""
        ...


W = TypeVar("W", bound=Weighty)


def pick_by_weight(items: Sequence[W], number: float) -> W:
    """The item that ``number``, drawn from [0, 1), falls on when weights are laid end to end; the last, if all are 0."""
    point = number * sum([item.weight for item in items])
    for item in items:
        point -= item.weight
        if point < 0:
            return item
    return next((item for item in reversed(items) if item.weight), items[-1])


def pick_by_share(shares: Sequence[float], number: float) -> int:
    """The place that ``number``, drawn from [0, 1), falls on when shares are laid end to end; even ones if all are 0."""
    total = sum(shares)
    if total <= 0:
        return min(int(number * len(shares)), len(shares) - 1)
    point = number * total
    for place, share in enumerate(shares):
        point -= share
        if point < 0:
            return place
    return max(place for place, share in enumerate(shares) if share)


class DrawSource(Protocol):
    """Where a decision gets its random numbers."""

    def draw(self, purpose: str, uid: str, unit: str, value: str) -> Draw:
        """A number in [0, 1) for ``purpose`` on the object ``uid``, the same whenever ``value`` of ``unit`` is the same."""
        ...


class KeyedDraws:
    """Draws from BLAKE2b under a key that clients do not know.

    The salt of purpose and object uid makes the draws of two objects independent, so that a canary of one policy does not
    pick the same users as a canary of another. For the unit ``Request`` the value is the decision id, which the router
    makes; an id that a client chose never enters.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def draw(self, purpose: str, uid: str, unit: str, value: str) -> Draw:
        """See :class:`DrawSource`."""
        text = f"{purpose}\0{uid}\0{unit}\0{value}".encode()
        digest = hashlib.blake2b(text, key=self._key, digest_size=8, person=b"fairlead-draw").digest()
        return Draw(purpose=purpose, uid=uid, unit=unit, value=(int.from_bytes(digest, "big") >> 11) / (1 << 53))


class RecordedDraws:
    """Gives back the draws of a record, for replay. Raises ``KeyError`` for one that was never drawn."""

    def __init__(self, draws: tuple[Draw, ...]) -> None:
        self._draws = {(draw.purpose, draw.uid): draw for draw in draws}

    def draw(self, purpose: str, uid: str, unit: str, value: str) -> Draw:
        """See :class:`DrawSource`."""
        return self._draws[purpose, uid]
