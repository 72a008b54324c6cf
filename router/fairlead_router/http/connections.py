"""Connections of clients within bounds: how many, how slow, and what they are told when they speak no HTTP.

aiohttp's protocol does the work; this adds what it leaves open. A head that drips in, a client that does not take its
answer and connections without number are ended here, and what cannot be parsed is answered in the shape of all errors.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from fairlead_router.admit.limits import Refusal
from fairlead_router.dialect.openai_error import openai_error_body
from fairlead_router.errors import (
    RouterError,
    head_too_large,
    head_too_slow,
    internal,
    malformed_http,
    method_not_allowed,
    too_many_connections,
    unknown_url,
)
from fairlead_router.http.front import Front, FrontServer
from fairlead_router.http.responses import error_response
from fairlead_router.http.stalls import StallWatch

_NO_ID = "the time of this answer"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds on the connections of one port."""

    max_connections: int
    max_per_address: int
    """0: no limit."""
    head_seconds: float
    stalled_seconds: float


class ClientConnection(RequestHandler):
    """One connection."""

    __slots__ = ("_address", "_head_timer", "_server", "_stalls")

    def __init__(self, server: BoundedServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._address: str | None = None
        """Set while this connection counts."""
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve it, or tell it that there are too many."""
        transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        self._address = self._server.let_in(transport)
        if self._address is None:
            return
        self._stalls = StallWatch(self._loop, transport, self._server.limits.stalled_seconds)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone, whoever ended it."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._address is not None:
            self._stalls.resumed()
            self._server.left(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes between requests are the beginning of a head, and start its time."""
        super().data_received(data)
        waiter = self._waiter
        if (waiter is not None and not waiter.done()) or (waiter is None and self._request_count == 0):
            if self._head_timer is None and data:
                seconds = self._server.limits.head_seconds
                self._head_timer = self._loop.call_later(seconds, self._head_is_late, seconds)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self, seconds: float) -> None:
        self._head_timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(_raw(head_too_slow(seconds)))
        self.force_close()

    def pause_writing(self) -> None:
        """More is written than the client takes; from now on it must take some."""
        super().pause_writing()
        self._stalls.paused()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._stalls.resumed()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """aiohttp's own refusals (a target without a path, as of ``CONNECT``) get the shape of all errors."""
        if isinstance(resp, web.HTTPException):
            allow = resp.headers.get("Allow")
            if allow is None:
                resp = error_response(unknown_url(request.method, request.path))
            else:
                resp = error_response(method_not_allowed(request.path, allow, request.method))
                resp.headers["Allow"] = allow
        return super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP request is a 400 or 431, what failed outside of a handler's own care a 500; then it is over."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.logger.error("a request failed", exc_info=exc)
            error = internal(_NO_ID)
        else:
            # The exception quotes what could not be parsed, be it a credential or a prompt.
            self.logger.warning("a client sent what is no HTTP request: %s", type(exc).__name__)
            error = _complaint(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already")
        response = error_response(error)
        response.headers["Connection"] = "close"  # aiohttp takes what it could not read for HTTP/1.0 and leaves it out
        response.force_close()
        return response


class BoundedServer(web.Server):
    """Makes connections and counts them."""

    def __init__(
        self, *arguments: Any, limits: ConnectionLimits, refused: Callable[[Refusal], None], **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self.limits = limits
        self.open = 0
        self._refused = refused
        self._by_address: Counter[str] = Counter()
        self.front: FrontServer | None = None

    def __call__(self) -> RequestHandler:
        """See ``web.Server``. With a front, connections begin there."""
        if self.front is not None:
            return cast(RequestHandler, Front(self.front, self.let_in, self.left))
        return self.make_connection()

    def make_connection(self) -> RequestHandler:
        """A connection that aiohttp serves."""
        return ClientConnection(self, loop=self._loop, **self._kwargs)

    @property
    def busy(self) -> bool:
        """Whether any request is being served."""
        fronts = () if self.front is None else self.front.connections
        return any(each.busy for each in fronts) or any(each._request_in_progress for each in self.connections)

    @property
    def begun(self) -> int:
        """Requests since the start."""
        return self.requests_count + (0 if self.front is None else self.front.requests_count)

    async def shutdown(self, timeout: float | None = None) -> None:
        """See ``web.Server``."""
        if self.front is not None:
            await self.front.shutdown(timeout or 0.0)
        await super().shutdown(timeout)

    def let_in(self, transport: asyncio.Transport) -> str | None:
        """The client's address; the connection counts until it is passed to :meth:`left`. ``None``: there is no room."""
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else ""
        refusal = self._refusal(address)
        if refusal is not None:
            self._refused(refusal)
            transport.write(_raw(too_many_connections()))
            transport.close()
            return None
        if self.limits.max_per_address:
            self._by_address[address] += 1
        self.open += 1
        return str(address)

    def _refusal(self, address: str) -> Refusal | None:
        if self.open >= self.limits.max_connections:
            return Refusal.CONNECTIONS
        if self.limits.max_per_address and self._by_address[address] >= self.limits.max_per_address:
            return Refusal.ADDRESS_CONNECTIONS
        return None

    def left(self, address: str) -> None:
        """A connection that was let in is gone."""
        self.open -= 1
        if self.limits.max_per_address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


class BoundedRunner(web.AppRunner):
    """Runs an application behind a :class:`BoundedServer`."""

    def __init__(
        self,
        app: web.Application,
        *,
        limits: ConnectionLimits,
        refused: Callable[[Refusal], None],
        front: Callable[[BoundedServer], FrontServer] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(app, **settings)
        self._limits = limits
        self._refused = refused
        self._front = front

    async def _make_server(self) -> web.Server:
        # aiohttp names no other way to give connections a class of one's own.
        made = await super()._make_server()
        server = BoundedServer(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,
            limits=self._limits,
            refused=self._refused,
            **made._kwargs,
        )
        if self._front is not None:
            server.front = self._front(server)
        return server


def _complaint(error: BaseException | None) -> RouterError:
    if isinstance(error, LineTooLong):
        return head_too_large()
    return malformed_http(f"this is no HTTP request that the router understands ({type(error).__name__})")


def _raw(error: RouterError) -> bytes:
    """A whole answer, for a connection on which no request was read."""
    body = openai_error_body(error)
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}", "Content-Type: application/json"]
    if error.retry_after_seconds is not None:
        lines.append(f"Retry-After: {round(error.retry_after_seconds)}")
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
