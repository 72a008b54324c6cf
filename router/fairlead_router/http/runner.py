"""Makes the servers of a process, within the bounds that the settings put on connections and heads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from aiohttp import web

from fairlead_router.admit.limits import Refusal
from fairlead_router.http.connections import BoundedRunner, BoundedServer, ConnectionLimits
from fairlead_router.http.front import FrontServer
from fairlead_router.settings import Settings

KEEPALIVE_SECONDS = 75.0
_CANCEL_SECONDS = 0.5
_LINGER_SECONDS = 2.0
"""How long the rest of a body that was refused is read, so that its sender sees the refusal and not a reset."""


async def set_up(
    stack: AsyncExitStack,
    app: web.Application,
    settings: Settings,
    refused: Callable[[Refusal], None],
    front: Callable[[BoundedServer], FrontServer] | None = None,
) -> web.AppRunner:
    """A server that does not listen yet; it ends with ``stack``. ``refused`` hears of connections that are not let in."""
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_connections_per_address,
        settings.head_seconds,
        settings.stalled_seconds,
    )
    runner = BoundedRunner(
        app,
        limits=limits,
        refused=refused,
        front=front,
        handler_cancellation=True,
        access_log=None,
        logger=_http_logger(),
        # Whoever may still finish has finished when it comes to this: see ``http.leaving``.
        shutdown_timeout=_CANCEL_SECONDS,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=settings.max_header_bytes,
        max_field_size=settings.max_header_bytes,
        max_headers=settings.max_headers,
        lingering_time=_LINGER_SECONDS,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


def port_of(runner: web.AppRunner) -> int:
    """The port it listens on; 0 while it listens on none."""
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
