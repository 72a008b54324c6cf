"""The least an aiohttp proxy can be, which is the measure of the router: no decision, no record, no limit, no retry.

``python -m bench.proxy.bare URL`` prints the port it listens on. JSON is parsed both ways for whole answers, with the standard
library as most would; streams pass chunk by chunk.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)


async def pass_through(request: web.Request) -> web.StreamResponse:
    """Post the body on and give back what comes."""
    body = json.loads(await request.read())
    async with request.app[SESSION].post(request.app[UPSTREAM], json=body) as upstream:
        if not body.get("stream"):
            return web.json_response(json.loads(await upstream.read()), status=upstream.status)
        response = web.StreamResponse(status=upstream.status, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def _session(app: web.Application) -> AsyncIterator[None]:
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000))
    yield
    await app[SESSION].close()


async def serve(upstream: str) -> None:
    """Until killed."""
    app = web.Application()
    app[UPSTREAM] = upstream
    app.cleanup_ctx.append(_session)
    app.router.add_post("/v1/chat/completions", pass_through)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
