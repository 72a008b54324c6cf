"""Starts both servers of a router, and stops them without losing a request."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from fairlead_router.composition import WorkerPlace, compose
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.http.admin import make_admin_app
from fairlead_router.http.connections import BoundedRunner, BoundedServer, ConnectionLimits
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.front import FrontServer
from fairlead_router.http.inference import serve
from fairlead_router.http.plain import HeadLimits
from fairlead_router.http.public import make_public_app
from fairlead_router.settings import Settings

_KEEPALIVE_SECONDS = 75.0
_CANCEL_SECONDS = 0.5
_LINGER_SECONDS = 2.0
"""How long the rest of a body that was refused is read, so that its sender sees the refusal and not a reset."""
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
        # What was pushed last goes first: metrics can be read while the last requests are served.
        admin = await _set_up(stack, make_admin_app(context))
        public = await _set_up(stack, make_public_app(context), front=partial(_front, context))
        if place is None:
            await web.TCPSite(public, settings.host, settings.port, backlog=BACKLOG).start()
            await web.TCPSite(admin, settings.admin_host, settings.admin_port).start()
        else:
            await web.UnixSite(admin, place.admin_socket).start()
        router = RunningRouter(context, public, _port(public), _port(admin))
        stack.push_async_callback(router.leave)
        yield router


def _front(context: Context, server: BoundedServer) -> FrontServer:
    settings = context.settings
    return FrontServer(
        partial(serve, context),
        context.leaving,
        server.make_connection,
        heads=HeadLimits(settings.max_header_bytes, settings.max_headers),
        keepalive_seconds=_KEEPALIVE_SECONDS,
        stalled_seconds=settings.stalled_seconds,
    )


async def _set_up(
    stack: AsyncExitStack, app: web.Application, front: Callable[[BoundedServer], FrontServer] | None = None
) -> web.AppRunner:
    """A server that does not listen yet."""
    settings = app[CONTEXT].settings
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_connections_per_address,
        settings.head_seconds,
        settings.stalled_seconds,
    )
    runner = BoundedRunner(
        app,
        limits=limits,
        refused=app[CONTEXT].pipeline.admission.count_refusal,
        front=front,
        handler_cancellation=True,
        access_log=None,
        logger=_http_logger(),
        # Whoever may still finish has finished when it comes to this: see ``http.leaving``.
        shutdown_timeout=_CANCEL_SECONDS,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        max_line_size=settings.max_header_bytes,
        max_field_size=settings.max_header_bytes,
        max_headers=settings.max_headers,
        lingering_time=_LINGER_SECONDS,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1]) if runner.addresses and isinstance(runner.addresses[0], tuple) else 0


def _http_logger() -> logging.Logger:
    result = logging.getLogger("fairlead.http.server")
    if not any(isinstance(each, NoQuotes) for each in result.filters):
        result.addFilter(NoQuotes())
    return result


class NoQuotes(logging.Filter):
    """aiohttp's errors quote what could not be parsed, be it a credential or a prompt: only their kind is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See ``logging.Filter``."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and type(error).__module__.startswith("aiohttp."):
            record.msg, record.args = "a client sent what is no HTTP request: %s", (type(error).__name__,)
            record.exc_info = None
        return True
