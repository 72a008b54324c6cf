"""Keeps what statuses show of endpoints near to what routers see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp

from fairlead_operator.routers.endpoints import EndpointPoller, EndpointReport, by_provider
from fairlead_operator.routers.patience import Patience
from fairlead_operator.status.endpoint_board import EndpointBoard
from fairlead_operator.status.endpoints import Observed

logger = logging.getLogger("fairlead.endpoints")

PERIOD_SECONDS = 3.0
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
        while True:
            try:
                reports = patience.steady(await self._poller.ask_all(http, addresses()), self._clock())
                if board.take(by_provider(reports), self._clock()) or self.observed is None:
                    self.observed = board.observed()
                    changed()
            except Exception:  # a defect here must not end leading: what is shown is news, not what is obeyed
                logger.exception("how endpoints fare could not be found out")
            await asyncio.sleep(PERIOD_SECONDS * (1 + _JITTER * (2 * self._draw() - 1)))
