"""``/-/log-levels`` on the admin port: which component says how much, while the router runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from fairlead_router.errors import invalid_request
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.record.log_levels import BadLevels, LogLevels, parse_levels

_LEVELS = web.AppKey("log_levels", LogLevels)


def serve_log_levels(app: web.Application, initial: str) -> None:
    """Add the path to ``app``; when the application ends, levels are again what ``initial`` says."""

    async def levels(app: web.Application) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        app[_LEVELS] = LogLevels(parse_levels(initial), loop.call_later, loop.time)
        yield
        app[_LEVELS].close()

    app.cleanup_ctx.append(levels)
    app.router.add_get("/-/log-levels", show)
    app.router.add_put("/-/log-levels", change)


async def show(request: web.Request) -> web.Response:
    """Every component with its level."""
    return json_response(request.app[_LEVELS].report())


async def change(request: web.Request) -> web.Response:
    """Set, for a while if wanted, or undo; answers as :func:`show` does."""
    try:
        request.app[_LEVELS].change(await request.read())
    except BadLevels as error:
        return error_response(invalid_request(str(error), code="invalid_log_levels"))
    return await show(request)
