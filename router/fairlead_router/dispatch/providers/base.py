"""The shape of every adapter."""

from __future__ import annotations

from typing import Protocol

import msgspec

from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dialect.openai_request import ChatRequest


class Call(msgspec.Struct, frozen=True):
    """One attempt to be made."""

    request: ChatRequest
    model: ModelEntry
    endpoint: EndpointEntry
    decision_id: str
    attempt: int
    connect_seconds: float


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

    @property
    def retry_after(self) -> tuple[str | None, str | None]:
        """The headers ``retry-after`` and ``retry-after-ms`` as they came."""
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


class Adapter(Protocol):
    """Makes calls to one type of provider."""

    async def open(self, call: Call) -> Answer:
        """Send the request and wait for status and headers. Raises ``CallFailed`` or ``CallTimedOut``."""
        ...
