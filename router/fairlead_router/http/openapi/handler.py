"""``GET /openapi.json``, on both ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web


def serves(document: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers ``document``, made once when the router starts."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    return handle
