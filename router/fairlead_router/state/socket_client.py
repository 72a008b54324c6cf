"""The store of a worker: every call goes over a Unix socket to the one process that keeps what all workers share.

Many calls are under way on one connection, and those of one turn of the event loop leave in one write. When the other side is
away, calls fail at once, and it is looked for again and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec

from fairlead_router.state.socket_wire import (
    BadFrame,
    CallFrame,
    FrameReader,
    Method,
    decode_answer,
    encode,
    framed,
    method_of,
)
from fairlead_router.state.store import StateStore, StoreUnavailable

logger = logging.getLogger("fairlead.state.client")

P = ParamSpec("P")
R = TypeVar("R")

METHODS: dict[str, Method] = {}
"""Those that can be called over a socket, by name."""

_MAX_UNDER_WAY = 20_000
"""Calls that may wait for answers; more would only be answered when nobody waits any more."""

_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.02, 1.0


def _remote(
    method: Callable[Concatenate[Any, P], Awaitable[R]],
) -> Callable[Concatenate[SocketStore, P], Coroutine[Any, Any, R]]:
    """``method`` of the interface, done by the other side."""
    wire = METHODS[method.__name__] = method_of(method)

    async def call(self: SocketStore, /, *arguments: P.args, **named: P.kwargs) -> R:
        """See the interface."""
        return cast(R, await self.call(wire, wire.arguments(*arguments, **named)))

    return call


class SocketStore:
    """:class:`~fairlead_router.state.store.StateStore` over a connection to :mod:`fairlead_router.state.socket_server`."""

    reserve = _remote(StateStore.reserve)
    settle = _remote(StateStore.settle)
    charge = _remote(StateStore.charge)
    expire = _remote(StateStore.expire)
    balance = _remote(StateStore.balance)
    get = _remote(StateStore.get)
    put = _remote(StateStore.put)
    put_if_absent = _remote(StateStore.put_if_absent)
    delete = _remote(StateStore.delete)
    share = _remote(StateStore.share)
    shared = _remote(StateStore.shared)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line: _Line | None = None
        self._number = 0
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False

    async def connect(self) -> None:
        """Wait until the other side answers for the first time, as the first call does too; then it is looked for for ever."""
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(), name="store")
        await asyncio.shield(self._connecting)

    @property
    def connected(self) -> bool:
        """Whether calls reach the other side."""
        return self._line is not None

    async def call(self, method: Method, arguments: msgspec.Struct) -> object:
        """Raises :class:`StoreUnavailable` when the other side is away, goes away meanwhile, or cannot do it."""
        line = self._line
        if line is None and self._connecting is None and not self._closed:
            await self.connect()
            line = self._line
        if line is None:
            raise StoreUnavailable(f"nobody answers at {self._path}")
        if len(line.under_way) >= _MAX_UNDER_WAY:
            raise StoreUnavailable(f"{_MAX_UNDER_WAY} calls wait for answers already")
        self._number += 1
        number = self._number
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        try:
            line.send(framed(CallFrame(number, method.name, msgspec.Raw(encode(arguments)))))
        except BadFrame as error:
            raise StoreUnavailable(f"{method.name}: {error}") from error
        line.under_way[number] = (method, answer)
        try:
            return await answer
        finally:
            line.under_way.pop(number, None)

    async def close(self) -> None:
        """End the connection; calls under way fail."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._line is not None:
            self._line.close()

    def _lost(self) -> None:
        self._line = None
        if not self._closed:
            logger.warning("the store at %s is away; it is looked for again", self._path)
            self._connecting = asyncio.get_running_loop().create_task(self._connect(), name="store")

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        delay = _RETRY_SECONDS
        while not self._closed:
            with suppress(OSError):
                _, self._line = await loop.create_unix_connection(lambda: _Line(self._lost), str(self._path))
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, _MAX_RETRY_SECONDS)


class _Line(asyncio.Protocol):
    """One connection and the calls that wait on it."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self.under_way: dict[int, tuple[Method, asyncio.Future[object]]] = {}
        self._lost = lost
        self._reader = FrameReader()
        self._waiting: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, frame: bytes) -> None:
        """Write ``frame`` with all others of this turn of the loop."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(frame)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._reader.feed(data):
                self._take(body)
        except (BadFrame, msgspec.MsgspecError) as error:
            logger.error("the store's answer cannot be read, so the connection is made anew: %s", error)
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        under_way, self.under_way = self.under_way, {}
        for _, answer in under_way.values():
            if not answer.done():
                answer.set_exception(StoreUnavailable("the connection broke before the answer came"))
        self._lost()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.write(b"".join(waiting))

    def _take(self, body: bytes) -> None:
        frame = decode_answer(body)
        method, answer = self.under_way.get(frame.number, (None, None))
        if method is None or answer is None or answer.done():  # nobody waits any more
            return
        if frame.error is not None:
            answer.set_exception(StoreUnavailable(frame.error))
        else:
            answer.set_result(method.result_decoder.decode(frame.result))
