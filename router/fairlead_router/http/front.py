"""The front of the public port: serves the plainest requests itself, and hands every other connection on to aiohttp.

A connection is this one's as long as it sends nothing but plain requests (:mod:`fairlead_router.http.plain`). With the first
that is not plain, aiohttp takes the connection over, with every byte that was not answered yet. Why: ADR 0015.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from fairlead_router.admit.limits import Admission
from fairlead_router.dialect.operations import Operation
from fairlead_router.http.client import Client, Reply, Stream
from fairlead_router.http.leaving import Leaving
from fairlead_router.http.plain import MAX_BYTES, HeadLimits, Not, PlainRequest, head_of, recognise, whole_of
from fairlead_router.http.stalls import StallWatch

logger = logging.getLogger("fairlead.http")

Serve = Callable[[Client, Operation], Awaitable[Reply | None]]
"""Answers one request; ``None``: everything is sent already."""

_COMPLETE_SECONDS = 0.25
"""How long the rest of a request may take before aiohttp, which has limits for slow senders, reads it instead."""


class FrontServer:
    """What all connections of one port share. ``hand_over`` makes the protocol that goes on."""

    def __init__(
        self,
        serve: Serve,
        leaving: Leaving,
        hand_over: Callable[[], asyncio.Protocol],
        *,
        heads: HeadLimits,
        keepalive_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self.serve = serve
        self.leaving = leaving
        self.hand_over = hand_over
        self.heads = heads.plain()
        self.keepalive_seconds = keepalive_seconds
        self.stalled_seconds = stalled_seconds
        self.connections: set[Front] = set()
        self.requests_count = 0
        """Requests begun since the start."""

    async def shutdown(self, seconds: float) -> None:
        """Close all connections; requests in flight are cancelled after ``seconds``."""
        await asyncio.gather(*(connection.shutdown(seconds) for connection in list(self.connections)))


class Front(asyncio.Protocol):
    """One connection. ``let_in`` and ``left`` count it."""

    __slots__ = (
        "_address",
        "_buffer",
        "_drained",
        "_idle_since",
        "_left",
        "_let_in",
        "_loop",
        "_paused",
        "_server",
        "_stalls",
        "_task",
        "_timer",
        "_transport",
        "_waiting",
    )

    def __init__(
        self, server: FrontServer, let_in: Callable[[asyncio.Transport], str | None], left: Callable[[str], None]
    ) -> None:
        """``let_in`` gives the client's address, or ``None`` when it has told it that there are too many."""
        self._server = server
        self._let_in = let_in
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._address: str | None = None
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._idle_since = 0.0

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._task is not None

    async def shutdown(self, seconds: float) -> None:
        """Close the connection; a request in flight is cancelled after ``seconds``."""
        task = self._task
        if task is not None:
            await asyncio.wait({task}, timeout=seconds)
            task.cancel()
            await asyncio.wait({task})
        self._transport.close()

    # ------------------------------------------------------------------------------------------------ the loop's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        self._address = self._let_in(self._transport)
        if self._address is None:
            return
        self._stalls = StallWatch(self._loop, self._transport, self._server.stalled_seconds)
        self._server.connections.add(self)
        self._idle_since = self._loop.time()
        self._timer = self._loop.call_later(self._server.keepalive_seconds, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``. Whoever is waiting for an answer here waits no longer."""
        if self._address is None:
            return
        self._let_go()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._buffer = self._buffer + data if self._buffer else data
        if self._task is None:
            self._consider()
        elif len(self._buffer) > MAX_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        self._drained = self._loop.create_future()
        self._stalls.paused()

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        drained, self._drained = self._drained, None
        self._stalls.resumed()
        if drained is not None:
            drained.set_result(None)

    # ------------------------------------------------------------------------------------------------ requests

    def _consider(self) -> None:
        """Serve what has arrived, wait for more, or hand over."""
        found = recognise(self._buffer, self._server.heads)
        if found is Not.WHOLE:
            if self._waiting is None:
                self._waiting = self._loop.call_later(_COMPLETE_SECONDS, self._hand_over)
            return
        self._stop_waiting()
        if isinstance(found, Not):
            self._hand_over()
            return
        self._buffer = self._buffer[found.size :] if len(self._buffer) > found.size else b""
        self._server.requests_count += 1
        self._task = self._loop.create_task(self._serve(found))

    async def _serve(self, request: PlainRequest) -> None:
        client = _PlainClient(self, request)
        close = True
        try:
            reply = await self._server.serve(client, request.operation)
            if reply is not None:
                await client.send(reply)
            close = client.told_to_close
        except ConnectionError:
            pass  # It is gone, or was hung up on.
        except Exception:
            logger.exception("a request failed")
        finally:
            self._task = None
        self._after(close=close)

    def _after(self, *, close: bool) -> None:
        if self._transport.is_closing():
            return
        if close:
            self._close()
            return
        self._idle_since = self._loop.time()
        if self._buffer:
            self._consider()
        if len(self._buffer) <= MAX_BYTES:
            self._read_on()

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _hand_over(self) -> None:
        """aiohttp goes on with this connection, from the first byte that was not answered."""
        if self._transport.is_closing():
            return
        self._let_go()
        self._read_on()  # From here on aiohttp decides when to pause.
        protocol = self._server.hand_over()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._buffer and not self._transport.is_closing():
            protocol.data_received(self._buffer)
        self._buffer = b""

    def _close(self) -> None:
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._stalls.resumed()
            self._stalls.paused()  # It is closed once the client has taken the rest: so it must take some.

    def _let_go(self) -> None:
        self._stop_waiting()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._server.connections.discard(self)
        if self._address is not None:
            self._left(self._address)
            self._address = None

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _close_if_idle(self) -> None:
        left = self._idle_since + self._server.keepalive_seconds - self._loop.time()
        if self._task is None and not self._buffer and left <= 0:
            self._timer = None
            self._close()
        else:
            self._timer = self._loop.call_later(max(left, 1.0), self._close_if_idle)

    # ------------------------------------------------------------------------------------------------ answers

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the client does not read. Raises ``ConnectionError`` when it is gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        if self._drained is not None:
            # Whoever stops waiting (a deadline does) may have more to write, and to wait for.
            await asyncio.shield(self._drained)

    def abort(self) -> None:
        """Hang up without a word."""
        self._transport.abort()


class _PlainClient:
    """See :class:`~fairlead_router.http.client.Client`."""

    __slots__ = ("_body", "_front", "_stream", "headers", "path", "told_to_close")

    method = "POST"

    def __init__(self, front: Front, request: PlainRequest) -> None:
        self._front = front
        self._body = request.body
        self._stream: _Chunks | None = None
        self.path = f"/v1/{request.operation.path}"
        self.headers = request.headers
        self.told_to_close = False
        """The answer that was sent says that it is the last."""

    async def read_body(self, admission: Admission, *, seconds: float) -> bytes:
        admission.check_length(len(self._body))
        admission.hold(len(self._body))
        return self._body

    async def send(self, reply: Reply) -> None:
        if self._stream is not None and self._stream.begun:
            self.abort()  # What was sent must not look complete, and nothing else can be said in it.
            raise ConnectionAbortedError("a part of another answer is sent already")
        self.told_to_close = self._front._server.leaving.closing or reply.close
        await self._front.write(whole_of(reply, int(time.time()), close=self.told_to_close))

    async def open_stream(self, headers: Mapping[str, str]) -> Stream:
        if self._front._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.told_to_close = self._front._server.leaving.closing
        first = head_of(200, headers, int(time.time()), close=self.told_to_close, length=None)
        self._stream = _Chunks(self._front, first)
        return self._stream

    def abort(self) -> None:
        self._front.abort()


class _Chunks:
    """An answer in chunks (RFC 9112, section 7.1); its head goes out with the first."""

    __slots__ = ("_before", "_front")

    def __init__(self, front: Front, head: bytes) -> None:
        self._front = front
        self._before = head

    @property
    def begun(self) -> bool:
        """Whether its head is sent."""
        return not self._before

    async def write(self, data: bytes) -> None:
        if data:
            before, self._before = self._before, b""
            await self._front.write(b"%b%x\r\n%b\r\n" % (before, len(data), data))

    async def write_eof(self) -> None:
        before, self._before = self._before, b""
        await self._front.write(before + b"0\r\n\r\n")
