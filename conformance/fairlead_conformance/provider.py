"""The fake provider: two ports that play, byte for byte, what a case wrote for the request that arrives.

A request is known by the text of its messages, the one thing that every gateway passes on: ``scenario:CASE:NONCE``. The
first call of a nonce plays its first script, the next call the next one, and the last script goes on for ever, on whichever
port they arrive.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from fairlead_conformance.script import CLOSE, HANG, RESET, Gate, Pause, Script, answer, completion
from fairlead_conformance.wire import LIMIT, Head, body_pieces, read_head

PRIMARY, FALLBACK = "primary", "fallback"
_NAMED = re.compile(rb"scenario:[a-z0-9-]+:([0-9a-f]+)")
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": "fake-model", "object": "model", "created": 0, "owned_by": "x"}]}
)


@dataclass(slots=True)
class Call:
    """One request that reached the provider."""

    port: str
    path: str
    head: Head
    body: bytes
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the gateway closed the connection before the script was over."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the script is over, one way or another."""
    sent: int = 0
    """Bytes that the connection has taken."""
    gates_missed: int = 0
    """Gates that were passed unopened: the first when its time was over, the others at once."""

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed."""
        value = json.loads(self.body)
        return value if isinstance(value, dict) else {}

    @property
    def asks_for_usage(self) -> bool:
        """Whether it has ``stream_options.include_usage``."""
        return bool((self.json.get("stream_options") or {}).get("include_usage"))


Play = Script | Callable[[Call], Script]
"""A script, or what makes one of the call that arrived."""


@dataclass(slots=True)
class Part:
    """What the provider plays for one request of a client, and the calls that came of it."""

    plays: Sequence[Play]
    calls: list[Call] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first call."""


class _HungUp(Exception):
    """The gateway has closed the connection."""


class Provider:
    """See the module. Use :func:`fake_provider`."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self._parts: dict[bytes, Part] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def expect(self, nonce: str, plays: Sequence[Play]) -> Part:
        """Play these for requests of that nonce."""
        self._parts[nonce.encode()] = part = Part(plays)
        return part

    def forget(self, nonce: str) -> None:
        """The case is over; calls that come now get a plain answer."""
        self._parts.pop(nonce.encode(), None)

    async def serve(self, port: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive while scripts end without breaking off."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = b""
        try:
            while True:
                call = await _read_call(port, reader, writer, first)
                watch = asyncio.create_task(reader.read(1))
                try:
                    if not await _play(self._script(call), call, writer, watch):
                        return
                    call.over.set()
                    if not (first := await watch):
                        return
                except (_HungUp, ConnectionError):
                    call.hung_up.set()
                    return
                finally:
                    call.over.set()
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _script(self, call: Call) -> Script:
        named = _NAMED.search(call.body)
        part = self._parts.get(named[1]) if named else None
        if part is None:
            return _plain(call)
        play = part.plays[min(len(part.calls), len(part.plays) - 1)]
        part.calls.append(call)
        part.arrived.set()
        return play(call) if callable(play) else play

    async def stop(self) -> None:
        """Hang up on everybody."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _plain(call: Call) -> Script:
    """For what no case sent: looks at the model list, health checks."""
    if call.head.line.startswith("GET"):
        return answer(_MODELS.encode())
    return answer(completion())


async def _read_call(port: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> Call:
    found = await read_head(reader, first)
    if found.get("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = b"".join([piece async for piece in body_pieces(reader, found, to_the_close=False)])
    return Call(port, found.line.partition(" ")[2].partition(" ")[0], found, body)


async def _play(script: Script, call: Call, writer: asyncio.StreamWriter, watch: asyncio.Task[bytes]) -> bool:
    """Whether the connection may be used again. Raises :class:`_HungUp` or ``ConnectionError``."""
    for step in script:
        match step:
            case bytes():
                if writer.is_closing():
                    raise _HungUp
                writer.write(step)
                await _unless_hung_up(writer.drain(), watch)
                call.sent += len(step)
            case Pause(seconds):
                await _unless_hung_up(asyncio.sleep(seconds), watch)
            case Gate(opened, seconds) if not call.gates_missed:
                try:
                    await _unless_hung_up(asyncio.wait_for(opened.wait(), seconds), watch)
                except TimeoutError:
                    call.gates_missed += 1
            case Gate():
                call.gates_missed += 1
            case _ if step is HANG:
                await _unless_hung_up(_for_ever(), watch)
            case _ if step is CLOSE:
                return False
            case _ if step is RESET:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
    return True


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _unless_hung_up(waiting: Coroutine[Any, Any, object], watch: asyncio.Task[bytes]) -> None:
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done() and (watch.exception() is not None or not watch.result()):
            raise _HungUp
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def fake_provider(host: str, primary: int, fallback: int) -> AsyncIterator[Provider]:
    """A provider that listens on two ports (0: any free one) until the block ends."""
    provider = Provider()
    servers = []
    try:
        for name, port in ((PRIMARY, primary), (FALLBACK, fallback)):

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name) -> None:
                # Only the end of the block cancels it, and asyncio.streams would log that as a fault.
                with suppress(asyncio.CancelledError):
                    await provider.serve(name, reader, writer)

            servers.append(server := await asyncio.start_server(serve, host, port, limit=LIMIT))
            provider.ports[name] = int(server.sockets[0].getsockname()[1])
        yield provider
    finally:
        for server in servers:
            server.close()
        await provider.stop()
        for server in servers:
            await server.wait_closed()
