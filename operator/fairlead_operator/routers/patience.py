"""A router that does not answer once is not yet unreachable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

GRACE_SECONDS = 10.0
"""How long the last answer of a silent router stands in for a new one. Every status would be rewritten otherwise each time
one answer is late."""


class Report(Protocol):
    """An answer, or that there was none."""

    @property
    def address(self) -> str:
        """Of the router."""

    @property
    def reachable(self) -> bool:
        """Whether it answered."""


R = TypeVar("R", bound=Report)


class Patience(Generic[R]):
    """Remembers the last answer of each router."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.grace_seconds = grace_seconds
        self._last: dict[str, tuple[R, float]] = {}

    def steady(self, reports: Iterable[R], now: float) -> tuple[R, ...]:
        """``reports`` with recent answers in the place of silence. Routers that are not listed are forgotten."""
        result = []
        known, self._last = self._last, {}
        for report in reports:
            if report.reachable:
                self._last[report.address] = (report, now)
            elif report.address in known and now - known[report.address][1] < self.grace_seconds:
                self._last[report.address] = known[report.address]
            result.append(self._last.get(report.address, (report, now))[0])
        return tuple(result)
