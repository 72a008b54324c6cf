"""The shape of every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.trace.context import TraceContext


class Call(msgspec.Struct, frozen=True):
    """One attempt to be made."""

    request: ModelRequest
    model: ModelEntry
    endpoint: EndpointEntry
    decision_id: str
    attempt: int
    connect_seconds: float
    trace: TraceContext | None = None

    def extra_headers(self) -> Sequence[tuple[str, str]]:
        """Besides those of the endpoint: the trace that the call belongs to."""
        return () if self.trace is None else tuple(self.trace.upstream_headers(self.attempt).items())


class Adapter(Protocol):
    """Makes calls to one type of provider."""

    async def open(self, call: Call) -> Answer:
        """Send the request and wait for status and headers. Raises ``CallFailed`` or ``CallTimedOut``."""
        ...
