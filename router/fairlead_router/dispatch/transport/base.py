"""The narrow interface of every transport, and all that can go wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multidict import CIMultiDict
from yarl import URL


class CallFailed(Exception):
    """The provider could not be reached or broke off. ``error`` is a short word of ours for it."""

    def __init__(self, error: str, *, connected: bool) -> None:
        super().__init__(error)
        self.error = error
        self.connected = connected
        """False: no byte of the request was sent, so trying again cannot do anything twice."""


class CallTimedOut(Exception):
    """No connection within ``connect_seconds``. All other times are kept by the caller."""


class Answer(Protocol):
    """An answer whose status and headers have arrived."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    def header(self, name: str) -> str | None:
        """The first header of that name (in lower case) as it came."""
        ...

    @property
    def is_event_stream(self) -> bool:
        """Whether the body is a stream of events."""
        ...

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises ``CallFailed``: ``answer_cut`` or ``answer_too_large``."""
        ...

    async def read_chunk(self) -> bytes:
        """The next bytes of the body as they arrive, empty at its end. Raises ``CallFailed`` if it breaks off."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else hang up: the provider stops generating."""
        ...


class Transport(Protocol):
    """Sends requests."""

    async def request(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes,
        *,
        connect_seconds: float,
        extra: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send and wait for status and headers; no redirect is followed. Raises ``CallFailed`` or ``CallTimedOut``.

        ``headers`` belong to the endpoint and are the same object each time; ``extra`` ones to this request.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
