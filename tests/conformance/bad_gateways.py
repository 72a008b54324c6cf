"""Gateways as one would write them in an afternoon. Each has vices that the suite must find."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web

from fairlead_conformance.client import Gateway

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_DONE = b"data: [DONE]\n\n"


def _post(request: web.Request, body: bytes) -> aiohttp.client._RequestContextManager:
    return request.app[SESSION].post(request.app[UPSTREAM], data=body, headers={"Content-Type": "application/json"})


async def buffering(request: web.Request) -> web.StreamResponse:
    """Waits for the end, whatever end that is, and calls it a success."""
    got = bytearray()
    with suppress(aiohttp.ClientError):
        async with _post(request, await request.read()) as answer:
            async for piece in answer.content.iter_any():
                got += piece
    return web.Response(body=bytes(got), content_type="text/plain")


async def passing(request: web.Request) -> web.StreamResponse:
    """Passes bytes on as they come, and closes cleanly when no more come. What most proxies do."""
    body = await request.read()
    try:
        async with _post(request, body) as answer:
            kind = answer.headers.get("Content-Type", "text/plain")
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": kind})
            await response.prepare(request)
            with suppress(aiohttp.ClientError):
                async for piece in answer.content.iter_any():
                    await response.write(piece)
            await response.write_eof()
            return response
    except aiohttp.ClientError:
        return web.Response(status=500, text="Internal Server Error")


async def answering_again(request: web.Request) -> web.StreamResponse:
    """Hides a broken answer behind another one, joined to it."""
    body = await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(3):
        seen = b""
        with suppress(aiohttp.ClientError):
            async with _post(request, body) as answer:
                async for piece in answer.content.iter_any():
                    seen += piece
                    await response.write(piece)
        if _DONE in seen:
            break
    else:
        await response.write(_DONE)
    await response.write_eof()
    return response


async def rewriting(request: web.Request) -> web.StreamResponse:
    """Knows the fields of last year, takes each read for an event, and reads text before it is all there."""
    asked = json.loads(await request.read())
    body = json.dumps({name: asked[name] for name in ("model", "messages", "stream") if name in asked}).encode()
    async with _post(request, body) as answer:
        if not asked.get("stream"):
            found = await answer.json(content_type=None)
            return web.json_response({"choices": found.get("choices", [])})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            for line in piece.decode("utf-8", "replace").split("\n\n"):
                with suppress(ValueError, LookupError):
                    choice = json.loads(line.removeprefix("data: "))["choices"][0]
                    delta = {"content": choice["delta"]["content"]}
                    event = {"choices": [{"index": 0, "delta": delta}], "usage": None}
                    await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b'data: {"choices":[],"usage":{"total_tokens":0}}\n\n' + _DONE)
        await response.write_eof()
        return response


async def stuttering(request: web.Request) -> web.StreamResponse:
    """Knows better what to ask, and says everything twice."""
    asked = json.loads(await request.read()) | {"temperature": 0}
    async with _post(request, json.dumps(asked).encode()) as answer:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for line in answer.content:
            if line.strip():
                await response.write(line.strip() + b"\n\n" + line.strip() + b"\n\n")
        await response.write_eof()
        return response


@asynccontextmanager
async def bad_gateway(handler: Handler, upstream_url: str) -> AsyncIterator[Gateway]:
    """One of the above, in front of a provider."""
    app = web.Application(client_max_size=1 << 22)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=1 << 21) as session:
        app[UPSTREAM], app[SESSION] = f"{upstream_url}/chat/completions", session
        app.router.add_post("/v1/chat/completions", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Gateway(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        finally:
            await runner.cleanup()
