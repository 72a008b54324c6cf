"""Keeps what statuses show of endpoints near to what routers see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp

from fairlead_operator.routers.endpoints import EndpointPoller, EndpointReport, by_provider
from fairlead_operator.routers.patience import GRACE_SECONDS, Patience
from fairlead_operator.status.endpoint_board import EndpointBoard
from fairlead_operator.status.endpoints import Observed

logger = logging.getLogger("fairlead.endpoints")

PERIOD_SECONDS = 3.0
_SLOWEST_SECONDS = 30.0
_ENDPOINTS_PER_SECOND = 100
"""Telling of this many takes a router some milliseconds."""

_JITTER = 0.2


class EndpointWatch:
    """``observed`` is ``None`` until routers were asked in this term: an earlier one may be long ago."""

    def __init__(self, poller: EndpointPoller, *, clock: Callable[[], float], draw: Callable[[], float]) -> None:
        self._poller = poller
        self._clock = clock
        self._draw = draw
        self.observed: Observed | None = None

    async def run(
        self, http: aiohttp.ClientSession, addresses: Callable[[], Sequence[str]], changed: Callable[[], None]
    ) -> None:
        """For ever; ``changed`` is called whenever something else is to be shown."""
        self.observed = None
        board, patience = EndpointBoard(), Patience[EndpointReport]()
        endpoints, began = 0, self._clock()
        while True:
            try:
                reports = patience.steady(await self._poller.ask_all(http, addresses()), self._clock())
                endpoints = max((len(report.sightings) for report in reports), default=0)
                heard, now = by_provider(reports), self._clock()
                # What an earlier leader has written stands until a router answers, or none has for a while.
                first = self.observed is None and (heard is not None or now - began >= GRACE_SECONDS)
                if board.take(heard, now) or first:
                    self.observed = board.observed()
                    changed()
            except Exception:  # a defect here must not end leading: what is shown is news, not what is obeyed
                logger.exception("how endpoints fare could not be found out")
            pause = pause_seconds(endpoints, self._draw())
            patience.grace_seconds = grace_seconds(pause)
            await asyncio.sleep(pause)


def pause_seconds(endpoints: int, draw: float) -> float:
    """Until routers are asked again, if one of them tells of so many endpoints. ``draw`` is from 0 to 1."""
    period = min(max(PERIOD_SECONDS, endpoints / _ENDPOINTS_PER_SECOND), _SLOWEST_SECONDS)
    return period * (1 + _JITTER * (2 * draw - 1))


def grace_seconds(pause: float) -> float:
    """How long an answer stands in for the next ones: however seldom routers are asked, one may come too late.

    Without it a single late answer would have thousands of statuses written, and written back.
    """
    return max(GRACE_SECONDS, 2 * pause)
