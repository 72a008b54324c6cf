"""The listening sockets that a worker inherits, and on which of them it accepts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from aiohttp import web

from fairlead_router.server import BACKLOG


class Listeners:
    """One socket a slot. Accepting stops without closing any: what is queued waits for whoever accepts next."""

    def __init__(self, runner: web.AppRunner, descriptors: Iterable[int]) -> None:
        self._runner = runner
        self._descriptors = dict(enumerate(descriptors))
        self._sites: dict[int, web.SockSite] = {}

    async def listen(self, slots: Iterable[int]) -> None:
        """Accept connections of exactly these slots."""
        wanted = set(slots) & self._descriptors.keys()
        for slot in wanted - self._sites.keys():
            # A copy: closing it ends accepting here and nowhere else.
            copy = socket.socket(fileno=os.dup(self._descriptors[slot]))
            site = self._sites[slot] = web.SockSite(self._runner, copy, backlog=BACKLOG)
            await site.start()
        for slot in self._sites.keys() - wanted:
            await self._sites.pop(slot).stop()

    def keep_own(self) -> None:
        """Let go of all sockets but those that are accepted on: they end with their last holder."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}
