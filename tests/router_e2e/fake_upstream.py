"""A provider on a free loopback port that does, byte for byte, what a test tells it to.

It speaks raw sockets: a *script* is a sequence of steps (bytes to send, events to wait for, ways to break off), and each
request takes the next script of the queue, or else the default one. What it received, and whether its client hung up, can
be asked afterwards.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from multidict import CIMultiDict


class End(Enum):
    """Ways to go on that are not bytes."""

    HANG = auto()
    """Say nothing more until the client hangs up."""
    CLOSE = auto()
    """Close the connection in the usual way."""
    RESET = auto()
    """Send a TCP reset."""


HANG, CLOSE, RESET = End.HANG, End.CLOSE, End.RESET

Step = bytes | End | asyncio.Event
"""Bytes are sent by themselves, so that the receiver's reads end where they end; an event is waited for."""

Script = Sequence[Step]

_PATIENCE_SECONDS = 10
"""How long a test waits for what must happen; its own limit would find uvloop deaf to signals."""


@dataclass(slots=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: CIMultiDict[str]
    body: bytes
    connection: int
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closed its connection before the script was over."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the script is over."""

    async def client_gone(self) -> None:
        """Wait until the client has hung up."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self.hung_up.wait()

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class _HungUp(Exception):
    pass


class FakeUpstream:
    """See the module. Use :func:`fake_upstream`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.default: Script | Callable[[Received], Script] = ()
        """For requests without a script of their own."""
        self.received: list[Received] = []
        self._scripts: deque[Script] = deque()
        self._connections = 0
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What a provider's endpoint has as its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    def plays(self, *scripts: Script) -> None:
        """Queue scripts, one for each of the next requests."""
        self._scripts.extend(scripts)

    async def arrived(self, count: int = 1) -> Received:
        """Wait until ``count`` requests have arrived in all; the newest of them."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received[count - 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive as long as scripts end without breaking off."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        number, first = self._connections, b""
        try:
            while (received := await _read_request(reader, first, number)) is not None:
                self.received.append(received)
                self._arrived.set()
                script = self._scripts.popleft() if self._scripts else self.default
                if callable(script):
                    script = script(received)
                watch = asyncio.create_task(reader.read(1))
                try:
                    if not await _play(script, writer, watch):
                        return
                    received.over.set()
                    first = await watch
                except (_HungUp, ConnectionError):
                    received.hung_up.set()
                    return
                finally:
                    received.over.set()
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def stop(self) -> None:
        """Hang up on everybody."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _play(script: Script, writer: asyncio.StreamWriter, watch: asyncio.Task[bytes]) -> bool:
    """Whether the connection may be used again. Raises :class:`_HungUp` or ``ConnectionError``."""
    for step in script:
        match step:
            case bytes():
                if writer.is_closing():
                    raise _HungUp
                writer.write(step)
                await _unless_hung_up(writer.drain(), watch)
                # Twice round the loop: the receiver, which runs in it too, reads this piece before the next is sent.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            case asyncio.Event():
                await _unless_hung_up(step.wait(), watch)
            case End.HANG:
                await _unless_hung_up(asyncio.Event().wait(), watch)
            case End.CLOSE:
                return False
            case End.RESET:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
    return True


async def _unless_hung_up(waiting: Any, watch: asyncio.Task[bytes]) -> None:
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() or (watch.done() and (watch.exception() or not watch.result())):
            raise _HungUp
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader, first: bytes, connection: int) -> Received | None:
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.add(name, value.strip())
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(request_line.split(" ")[1], headers, body, connection)


@asynccontextmanager
async def fake_upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that listens until the block ends."""
    holder: list[FakeUpstream] = []
    server = await asyncio.start_server(lambda r, w: holder[0].serve(r, w), "127.0.0.1", 0, limit=1 << 20)
    upstream = FakeUpstream(server.sockets[0].getsockname()[1])
    holder.append(upstream)
    try:
        yield upstream
    finally:
        server.close()
        await upstream.stop()
        await server.wait_closed()
