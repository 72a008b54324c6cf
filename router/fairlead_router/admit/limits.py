"""Bounds on what the router takes in at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fairlead_router.errors import overloaded, too_large


class Admission:
    """Counts the requests in flight and refuses what is over a limit."""

    def __init__(self, *, max_body_bytes: int, max_concurrent_requests: int) -> None:
        self.max_body_bytes = max_body_bytes
        self._max_concurrent = max_concurrent_requests
        self.in_flight = 0
        self.refused = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """One place among the requests in flight. Raises ``RouterError`` 503 when there is none."""
        if self.in_flight >= self._max_concurrent:
            self.refused += 1
            raise overloaded(self._max_concurrent)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def check_length(self, content_length: int | None) -> None:
        """Refuse a body by what its header says, before a byte of it is read. Raises ``RouterError`` 413."""
        if content_length is not None and content_length > self.max_body_bytes:
            raise too_large(self.max_body_bytes)
