"""How a router goes: says so, takes no more connections, ends what it began, and cuts what takes too long.

No client may notice. A connection that is queued is accepted before its listener closes; one that is kept alive is told
``Connection: close`` with its next answer, and closed unasked only when it has been idle for a while: whoever closes at any
other moment may cross with a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from aiohttp import web

if TYPE_CHECKING:
    from fairlead_router.http.connections import BoundedServer

logger = logging.getLogger("fairlead.leaving")

IDLE_SECONDS = 1.0
"""Without any request for this long, connections that are left count as idle."""

_LOOK_SECONDS = 0.02
_LAST_WORD_SECONDS = 2.0
"""How long clients may take to accept the event that says their stream was cut."""

_TURNS = 3
"""Turns of the event loop in which everything that is queued at a listener is accepted."""


class Leaving:
    """Whether the router is on its way out. ``notice_seconds`` may be set until it is."""

    def __init__(self) -> None:
        self.announced = False
        """Readiness says no."""
        self.closing = False
        """Every answer is the last one of its connection."""
        self.notice_seconds = 0.0
        self.hurried = asyncio.Event()

    def hurry(self) -> None:
        """Wait for nobody from now on."""
        self.hurried.set()

    async def on_response_prepare(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """See ``aiohttp.web.Application.on_response_prepare``."""
        if self.closing:
            response.force_close()
            # The header was chosen before this is called.
            response.headers["Connection"] = "close"

    async def leave(self, runner: web.AppRunner, cut: Callable[[], None], shutdown_seconds: float) -> None:
        """Do all of it, in order; returns when nobody is served any more, or nobody may be."""
        if self.closing:
            return
        self.announced = True
        await self._wait(self.notice_seconds)
        self.closing = True
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for site in list(runner.sites):
            await site.stop()
        if not await self._served(runner, shutdown_seconds, until_hurried=True):
            logger.warning("answers in flight are cut: shutdown_seconds are over, or nobody wants to wait")
            cut()
            await self._served(runner, _LAST_WORD_SECONDS, until_hurried=False)

    async def _served(self, runner: web.AppRunner, seconds: float, *, until_hurried: bool) -> bool:
        """Wait until all connections are closed or idle, at most ``seconds``. Returns whether they are."""
        server = cast("BoundedServer | None", runner.server)
        loop = asyncio.get_running_loop()
        if server is None:
            return True
        started = active = loop.time()
        count = server.begun
        while server.open:
            now = loop.time()
            busy = server.busy
            if busy or server.begun != count:
                active, count = now, server.begun
            hurried = until_hurried and self.hurried.is_set()
            if not busy and (now - active >= IDLE_SECONDS or hurried or not until_hurried):
                return True
            if now - started >= seconds or hurried:
                return not busy
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def _wait(self, seconds: float) -> None:
        if seconds > 0 and not self.hurried.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self.hurried.wait()
            except TimeoutError:
                return
