"""Statistics of other routers, for what this one has not measured itself: one that has just started knows who is slow.

What a router measured of late it believes before all others, as its own way to a provider is the one its requests take; calls
that run now are counted here only, as a number of others is old when it arrives and would make all routers leave and come back
together. So between routers nothing is averaged but among those that know more than this one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable

import msgspec

from fairlead_router.dispatch.statistics import StatisticsRegistry
from fairlead_router.select.statistics import DECIMALS, EndpointStatistics
from fairlead_router.state.store import StateStore, StoreUnavailable

logger = logging.getLogger("fairlead.sharing")

TOPIC = "statistics"
_SHARE_SECONDS = 2.0
_TTL_SECONDS = 10.0
_MAX_ENTRIES = 1000
"""Pairs of model and endpoint that a router tells of: 100 kB or so."""


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """One model at one endpoint, as one router measured it of late."""

    model: str
    endpoint: str
    statistics: EndpointStatistics


class SharedStatistics:
    """:class:`~fairlead_router.select.statistics.Statistics` of this router, filled up with those of others.

    Run :meth:`run` as a task.
    """

    def __init__(
        self,
        store: StateStore,
        own: StatisticsRegistry,
        *,
        available: Callable[[], bool],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """``clock`` is monotonic, ``wall`` Unix time; ``available`` says whether the store reaches others."""
        self._store = store
        self._own = own
        self._available = available
        self._clock = clock
        self._wall = wall
        self._router = secrets.token_hex(6)
        self._others: dict[tuple[str, str], EndpointStatistics] = {}

    def endpoint(self, model: str, endpoint: str, now: float) -> EndpointStatistics:
        """See the interface."""
        own = self._own.endpoint(model, endpoint, now)
        others = self._others.get((model, endpoint))
        return own if others is None else filled_up(own, others)

    def output_tokens(self, model: str) -> float | None:
        """See the interface. Lengths of answers are not shared: a few requests teach them."""
        return self._own.output_tokens(model)

    async def run(self) -> None:
        """Tell and hear, until cancelled."""
        while True:
            try:
                await self.exchange()
            except StoreUnavailable:
                self._others = {}
            except Exception:
                logger.exception("sharing statistics failed; it goes on")
            await asyncio.sleep(_SHARE_SECONDS)

    async def exchange(self) -> None:
        """Once. Raises ``StoreUnavailable``."""
        now, wall = self._clock(), self._wall()
        known = self._own.known(now)[:_MAX_ENTRIES]
        if known:
            value = msgspec.json.encode([Measured(*key, statistics) for key, statistics in known])
            await self._store.share(TOPIC, self._router, value, now=wall, ttl_seconds=_TTL_SECONDS)
        board = await self._store.shared(TOPIC, now=wall)
        board.pop(self._router, None)
        self._others = averaged(board.values()) if self._available() else {}


def filled_up(own: EndpointStatistics, others: EndpointStatistics) -> EndpointStatistics:
    """``own``, and what it does not know from ``others``."""
    return EndpointStatistics(
        own.outstanding,
        others.first_byte_seconds if own.first_byte_seconds is None else own.first_byte_seconds,
        others.total_seconds if own.total_seconds is None else own.total_seconds,
        others.mean_seconds if own.mean_seconds is None else own.mean_seconds,
        others.success_ppm if own.success_ppm is None else own.success_ppm,
    )


def averaged(told: Iterable[bytes]) -> dict[tuple[str, str], EndpointStatistics]:
    """What several routers know of each model and endpoint; each that knows something counts the same."""
    each: dict[tuple[str, str], list[EndpointStatistics]] = {}
    for value in told:
        try:
            entries = msgspec.json.decode(value, type=list[Measured])
        except msgspec.DecodeError:  # of a router of another version
            continue
        for entry in entries:
            each.setdefault((entry.model, entry.endpoint), []).append(entry.statistics)
    return {key: _average(known) for key, known in each.items()}


def _average(known: list[EndpointStatistics]) -> EndpointStatistics:
    success = _mean(each.success_ppm for each in known)
    return EndpointStatistics(
        first_byte_seconds=_mean(each.first_byte_seconds for each in known),
        total_seconds=_mean(each.total_seconds for each in known),
        mean_seconds=_mean(each.mean_seconds for each in known),
        success_ppm=None if success is None else round(success),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(sum(there) / len(there), DECIMALS) if there else None
