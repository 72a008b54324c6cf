"""One bound on all request bodies that are held in memory at the same time."""

from __future__ import annotations


class NoRoom(Exception):
    """The bytes would be over the limit."""


class Buffers:
    """Counts bytes that are held. What was taken must be given back."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Raises :class:`NoRoom`, having taken nothing."""
        if self.held + size > self.limit:
            raise NoRoom
        self.held += size

    def give_back(self, size: int) -> None:
        """The bytes are held no longer."""
        self.held -= size
