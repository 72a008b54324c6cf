"""Probes and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from fairlead_operator.metrics import CONTENT_TYPE, Metrics

Ailment = Callable[[], Awaitable[str | None]]


def make_app(metrics: Metrics, *, alive: Ailment, ready: Ailment) -> web.Application:
    """``alive`` and ``ready`` say what is wrong, or ``None``."""

    async def livez(_: web.Request) -> web.Response:
        return _answer(await alive())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(await ready())

    async def render(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", render)
    return app


def _answer(ailment: str | None) -> web.Response:
    return web.Response(text="ok\n") if ailment is None else web.Response(status=503, text=f"{ailment}\n")
