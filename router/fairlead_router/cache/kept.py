"""What is kept of an answer."""

from __future__ import annotations

import msgspec

from fairlead_contract.decision import Usage


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A complete answer, byte for byte as its client got it."""

    model: str
    """Key of the model that gave it."""
    stream: bool
    body: bytes
    """JSON, or the events of a stream to its end."""
    usage: Usage
    at: float
    """Unix seconds when it was complete."""


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What became of a request that had an Idempotency-Key."""

    mark: bytes
    """Of the request's body: the same key under another body is a mistake of the client."""
    answer: Kept | None
    """``None``: there was one, and it was too large to be kept."""
