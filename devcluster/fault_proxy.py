"""A reverse proxy before an API server that fails on demand, as load balancers, networks and overloaded servers do.

Plain HTTP in, HTTPS out; credentials are passed on. Of Kubernetes it knows nothing but which requests are watches.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import NamedTuple, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

R = TypeVar("R", bound=web.StreamResponse)

_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"})
_MAX_BODY_BYTES = 16 * 1024 * 1024
_RETRY_AFTER_SECONDS = 1
_SLOW_SECONDS = 1.0


class Mode(Enum):
    """What becomes of requests."""

    PASS = auto()
    UNAVAILABLE = auto()
    """503 for every request, and open watches are cut."""
    FORBIDDEN = auto()
    """403, as during some upgrades; open watches are cut."""
    THROTTLED = auto()
    """429 with Retry-After; open watches go on."""
    REFUSE = auto()
    """Connections are reset, open watches too."""
    STALL = auto()
    """Watches stay open and new ones open, but deliver nothing, not even bookmarks; all else passes. What is held back
    arrives when the mode changes."""
    SLOW = auto()
    """Every request waits a second first."""


_CUTTING = {Mode.UNAVAILABLE, Mode.FORBIDDEN, Mode.REFUSE}
_ERRORS = {
    Mode.UNAVAILABLE: (503, "ServiceUnavailable", "the proxy was told to answer 503"),
    Mode.FORBIDDEN: (403, "Forbidden", "the proxy was told to answer 403"),
    Mode.THROTTLED: (429, "TooManyRequests", "the proxy was told to answer 429"),
}


class Answered(NamedTuple):
    """One request that was answered."""

    method: str
    path: str
    status: int


@dataclass(slots=True)
class Held:
    """Requests kept back before they reach the server."""

    method: str
    path: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """The first one has come."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let them go on."""
        self.released.set()


class FaultProxy:
    """Use as an async context manager, inside which ``url`` is valid. ``upstream``: an address without a slash at its end."""

    def __init__(self, upstream: str, context: ssl.SSLContext) -> None:
        self._upstream = upstream
        self._ssl = context
        self._mode = Mode.PASS
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._watches: set[asyncio.Transport] = set()
        self._gone: set[str] = set()
        self._held: list[Held] = []
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.requests = 0
        """How many have come."""
        self.answers: list[Answered] = []
        """In order; a watch is noted when it opens."""

    async def __aenter__(self) -> FaultProxy:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._ssl, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        assert self._session is not None
        self.cut()
        await self._runner.cleanup()
        await self._session.close()

    @property
    def mode(self) -> Mode:
        """The present one."""
        return self._mode

    def switch(self, mode: Mode) -> None:
        """From now on."""
        self._mode = mode
        if mode is Mode.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode in _CUTTING:
            self.cut()

    @contextmanager
    def failing(self, mode: Mode) -> Iterator[None]:
        """``mode`` inside, and all passes again afterwards."""
        self.switch(mode)
        try:
            yield
        finally:
            self.switch(Mode.PASS)

    def cut(self) -> None:
        """Reset the connections of all open watches."""
        for connection in tuple(self._watches):
            connection.abort()

    def gone(self, path: str) -> None:
        """The next watch of ``path`` is told that its version is too old (410)."""
        self._gone.add(path)

    @asynccontextmanager
    async def holding(self, method: str, path: str) -> AsyncIterator[Held]:
        """Keep back requests of this kind until released, or until the client is gone: then they never arrive."""
        held = Held(method, path)
        self._held.append(held)
        try:
            yield held
        finally:
            self._held.remove(held)
            held.release()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        watch = request.query.get("watch") in {"true", "1"}
        for held in self._held:
            if (held.method, held.path) == (request.method, request.path):
                await request.read()
                held.reached.set()
                await held.released.wait()
        if self._mode is Mode.SLOW:
            await asyncio.sleep(_SLOW_SECONDS)
        if self._mode is Mode.REFUSE:
            return _reset(request)
        if self._mode in _ERRORS:
            return self._error(request, *_ERRORS[self._mode])
        if watch and request.path in self._gone:
            self._gone.remove(request.path)
            gone = {"type": "ERROR", "object": _status(410, "Expired", "the proxy was told to answer 410")}
            return self._noted(request, web.json_response(gone))
        try:
            return await self._relay(request, watch=watch)
        except (aiohttp.ClientError, OSError, TimeoutError):
            # The server is away, or went away in the middle.
            return _reset(request)

    async def _relay(self, request: web.Request, *, watch: bool) -> web.StreamResponse:
        assert self._session is not None
        target = URL(self._upstream + request.rel_url.raw_path_qs, encoded=True)
        body = await request.read() or None
        async with self._session.request(
            request.method, target, headers=_passed_on(request.headers), data=body, allow_redirects=False
        ) as answer:
            if not watch:
                content = await answer.read()
                response = web.Response(status=answer.status, headers=_passed_on(answer.headers), body=content)
                return self._noted(request, response)
            stream = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
            self._noted(request, stream)
            connection = request.transport
            if connection is None:
                return stream
            self._watches.add(connection)
            try:
                await stream.prepare(request)
                async for chunk in answer.content.iter_any():
                    await self._flowing.wait()
                    await stream.write(chunk)
            finally:
                self._watches.discard(connection)
            return stream

    def _error(self, request: web.Request, code: int, reason: str, message: str) -> web.Response:
        headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if code == 429 else {}
        return self._noted(request, web.json_response(_status(code, reason, message), status=code, headers=headers))

    def _noted(self, request: web.Request, response: R) -> R:
        self.answers.append(Answered(request.method, request.path, response.status))
        return response


def _reset(request: web.Request) -> web.Response:
    """Reset the connection. Returns an answer that nobody will read."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _status(code: int, reason: str, message: str) -> dict[str, object]:
    metadata: dict[str, object] = {}
    status = {"status": "Failure", "code": code, "reason": reason, "message": message}
    return {"kind": "Status", "apiVersion": "v1", "metadata": metadata, **status}


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    passed: CIMultiDict[str] = CIMultiDict(headers)
    for name in [name for name in passed if name.lower() in _HOP_BY_HOP]:
        del passed[name]
    return passed
