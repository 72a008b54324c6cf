"""Starts both servers of a router, and stops them without losing a request."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from fairlead_router.composition import WorkerPlace, compose
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.http.admin import make_admin_app
from fairlead_router.http.connections import BoundedServer
from fairlead_router.http.context import Context
from fairlead_router.http.front import FrontServer
from fairlead_router.http.inference import serve
from fairlead_router.http.plain import HeadLimits
from fairlead_router.http.public import make_public_app
from fairlead_router.http.runner import KEEPALIVE_SECONDS, port_of, set_up
from fairlead_router.settings import Settings

BACKLOG = 1024
"""Connections that may wait for a busy event loop."""
SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """A router that serves."""

    context: Context
    public: web.AppRunner
    port: int
    """0 while it was not told to listen."""
    admin_port: int

    @property
    def receiver(self) -> ConfigReceiver:
        """Where snapshots are offered."""
        return self.context.pipeline.receiver

    async def leave(self) -> None:
        """Take no new requests, and give those in flight ``shutdown_seconds``."""
        context = self.context
        await context.leaving.leave(self.public, context.pipeline.cut, context.settings.shutdown_seconds)


@asynccontextmanager
async def running_router(settings: Settings, place: WorkerPlace | None = None) -> AsyncIterator[RunningRouter]:
    """Serve until the block ends, and then leave, if it was not left before."""
    # Threads (unpacking a snapshot, writing lines) give way to the loop this soon, instead of after 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    async with AsyncExitStack() as stack:
        context = await compose(settings, place, stack)
        refused = context.pipeline.admission.count_refusal
        # What was pushed last goes first: metrics can be read while the last requests are served.
        admin = await set_up(stack, make_admin_app(context), settings, refused)
        public = await set_up(stack, make_public_app(context), settings, refused, partial(_front, context))
        if place is None:
            await web.TCPSite(public, settings.host, settings.port, backlog=BACKLOG).start()
            await web.TCPSite(admin, settings.admin_host, settings.admin_port).start()
        else:
            await web.UnixSite(admin, place.admin_socket).start()
        router = RunningRouter(context, public, port_of(public), port_of(admin))
        stack.push_async_callback(router.leave)
        yield router


def _front(context: Context, server: BoundedServer) -> FrontServer:
    settings = context.settings
    return FrontServer(
        partial(serve, context),
        context.leaving,
        server.make_connection,
        heads=HeadLimits(settings.max_header_bytes, settings.max_headers),
        keepalive_seconds=KEEPALIVE_SECONDS,
        stalled_seconds=settings.stalled_seconds,
    )
