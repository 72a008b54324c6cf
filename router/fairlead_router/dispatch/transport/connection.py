"""One connection to a provider: HTTP/1.1 with one exchange at a time, parsed by llhttp (httptools).

Bytes are kept until they are read, and reading from the network stops while too many wait: what a provider sends can fill
the memory of nobody. The parser is the strict one, which refuses what could be understood in two ways (RFC 9112, section 11).
"""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from fairlead_router.dispatch.transport.base import CallFailed

_MAX_HEAD_BYTES = 64 * 1024
"""Also of what is no part of the body behind it: trailers, or the extensions of a chunk."""
_MAX_WAITING_BYTES = 256 * 1024
_PIECE_BYTES = 256 * 1024
"""A large body is handed over in pieces, each when the one before has gone: as a whole it would be copied."""


class Connection(asyncio.Protocol):
    """See the module. ``send`` begins an exchange; it is over when ``complete`` is true."""

    __slots__ = (
        "_body",
        "_bytes_beside_body",
        "_drained",
        "_error",
        "_head_done",
        "_limit",
        "_loop",
        "_parser",
        "_paused",
        "_size",
        "_surplus",
        "_transport",
        "_until_close",
        "_waiter",
        "complete",
        "headers",
        "idle_since",
        "lost",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self.lost = False
        self.idle_since = 0.0
        """Seconds of the loop's clock, set by whoever keeps it for later."""
        self._surplus = False
        self._begin()
        self.complete = True

    def _begin(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        """By name in lower case; of repeated headers the first."""
        self.complete = False
        self._head_done = False
        self._bytes_beside_body = 0
        self._until_close = False
        self._body: list[bytes] = []
        self._size = 0
        self._limit: int | None = None
        self._error: str | None = None
        self._paused = False

    @property
    def reusable(self) -> bool:
        """Whether another exchange may begin on it."""
        transport = self._transport
        return (
            self.complete
            and not (self.lost or self._surplus or self._until_close or self._body)
            and transport is not None
            and not transport.is_closing()
        )

    async def send(self, head: bytes, body: bytes) -> None:
        """Send a request and wait for status and headers. Raises ``CallFailed``."""
        assert self._transport is not None, "a connection is used once it is made"
        if self.lost:  # The provider hung up on a new connection: the loop says so only once.
            raise CallFailed("no_answer", connected=False)
        self._begin()
        if len(body) <= _PIECE_BYTES:
            self._transport.write(head + body if body else head)
        else:
            await self._send_in_pieces(head, memoryview(body))
        while not self._head_done:
            if self._error is not None:
                raise CallFailed("no_answer", connected=True)
            await self._wait()

    async def _send_in_pieces(self, head: bytes, body: memoryview) -> None:
        assert self._transport is not None
        self._transport.write(head)
        for start in range(0, len(body), _PIECE_BYTES):
            if self._head_done or self._error is not None:
                # Answered before everything was read, as with 413: the rest of the request would only be in the way.
                self._surplus = True
                return
            self._transport.write(body[start : start + _PIECE_BYTES])
            if self._drained is not None:
                await self._drained

    async def read_whole(self, max_bytes: int) -> bytes:
        """The whole body. Raises ``CallFailed``: ``answer_cut`` or ``answer_too_large``."""
        length = self.headers.get(b"content-length", b"").strip().lstrip(b"0")  # int() refuses very long ones
        if length and int(length) > max_bytes:
            raise CallFailed("answer_too_large", connected=True)
        self._limit = max_bytes
        self._check_limit()
        self._resume()
        while not self.complete:
            self._raise_if_broken()
            await self._wait()
        self._raise_if_broken()
        return self._take()

    async def read_some(self) -> bytes:
        """What has arrived of the body since it was last read, empty at its end. Raises ``CallFailed`` ``answer_cut``."""
        while not self._body:
            self._raise_if_broken()
            if self.complete:
                return b""
            await self._wait()
        data = self._take()
        self._resume()
        return data

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()
        self._fail("closed_here")

    def _take(self) -> bytes:
        body = self._body
        self._size = 0
        self._body = []
        return body[0] if len(body) == 1 else b"".join(body)

    def _raise_if_broken(self) -> None:
        if self._error is not None:
            raise CallFailed(self._error, connected=True)

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: str) -> None:
        if self._error is None and not self.complete:
            self._error = error
        if self._transport is not None:
            self._transport.abort()
        self._wake()
        self.resume_writing()

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self.lost:
            self._paused = False
            self._transport.resume_reading()

    def _check_limit(self) -> None:
        if self._limit is not None and self._size > self._limit:
            self._body.clear()
            self._error = "answer_too_large"  # also if its end came with these very bytes
            self._fail("answer_too_large")

    # ------------------------------------------------------------------------------------------------ the loop's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self.lost = True
        if self._until_close and self._head_done and exc is None:
            self.complete = True
        elif not self.complete and self._error is None:
            self._error = "answer_cut"
        self.resume_writing()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.complete:  # Nobody asked for this.
            self._surplus = True
            if self._transport is not None:
                self._transport.abort()
            return
        self._bytes_beside_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._surplus = True
            self._fail("answer_cut")
            return
        if self._bytes_beside_body > _MAX_HEAD_BYTES:
            self._fail("answer_cut")
            return
        if self._limit is not None:
            self._check_limit()
            if not self.complete:
                return
        elif self._size > _MAX_WAITING_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._head_done:
            self._wake()
            self.resume_writing()  # Whoever is still sending has its answer.

    def pause_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # ---------------------------------------------------------------------------------------------- the parser's calls

    def on_message_begin(self) -> None:
        """See httptools. A second answer to one request is not kept."""
        if self.complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        if not self._head_done:
            self.headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._head_done = True
        framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        self._until_close = not framed and self.status not in {204, 304}

    def on_body(self, data: bytes) -> None:
        """See httptools."""
        self._bytes_beside_body = 0
        if not self.complete:
            self._body.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        """See httptools. An interim answer (1xx) is not the answer."""
        if not self._head_done:
            self.headers.clear()
            self._bytes_beside_body = 0
            return
        self.complete = True
        if not self._parser.should_keep_alive():
            self._surplus = True
