"""Connections to providers, kept while they are idle: which one to use, when to open another, when to wait.

Each origin has its own; the newest is used first, so that the others can grow old and be closed. The number of all is
bounded; whoever finds none free waits in line.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohappyeyeballs import AddrInfoType, start_connection

from fairlead_router.dispatch.addresses import refusal
from fairlead_router.dispatch.transport.base import CallFailed, CallTimedOut
from fairlead_router.dispatch.transport.connection import Connection
from fairlead_router.settings import Network

_IDLE_SECONDS = 60.0
_RESOLVED_SECONDS = 60.0
_HAPPY_EYEBALLS_SECONDS = 0.25
"""RFC 8305: how long a first address may take before the next is tried beside it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What connections are kept for."""

    host: str
    port: int
    tls: bool


class Pool:
    """See the module. One per process, made inside its running loop."""

    def __init__(self, *, limit: int, allowed: Sequence[Network]) -> None:
        self._limit = limit
        self._allowed = allowed
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resolved: dict[tuple[str, int], tuple[float, list[AddrInfoType]]] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def has_idle(self) -> bool:
        """Whether any connection can be used at once."""
        return any(connection.reusable for kept in self._idle.values() for connection in kept)

    async def acquire(self, origin: Origin, *, connect_seconds: float) -> Connection:
        """A connection for one exchange; give it back with :meth:`release`. Raises ``CallFailed`` or ``CallTimedOut``."""
        if self._waiting:
            await self._wait_in_line(self._waiting.append)
        while True:
            kept = self._idle.get(origin)
            while kept:
                connection = kept.pop()
                if connection.reusable:
                    return connection
                self._discard(connection)
            if self._open < self._limit or self._close_one_idle():
                break
            await self._wait_in_line(self._waiting.appendleft)  # Whoever was woken in vain keeps its place.
        self._open += 1
        try:
            return await self._connect(origin, connect_seconds)
        except BaseException:
            self._gone()
            raise

    def release(self, origin: Origin, connection: Connection) -> None:
        """Keep ``connection`` if another exchange may begin on it, else close it."""
        if not connection.reusable or self._closed:
            self._discard(connection)
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, deque()).append(connection)
        self._wake_one()
        if self._sweep is None:
            self._sweep = self._loop.call_later(_IDLE_SECONDS / 2, self._close_old)

    def close(self) -> None:
        """Close what is idle, and what is in use as soon as it is given back."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for kept in self._idle.values():
            for connection in kept:
                connection.abort()
        self._idle.clear()

    def _discard(self, connection: Connection) -> None:
        connection.abort()
        self._gone()

    def _gone(self) -> None:
        self._open -= 1
        self._wake_one()

    async def _wait_in_line(self, join: Callable[[asyncio.Future[None]], None]) -> None:
        place: asyncio.Future[None] = self._loop.create_future()
        join(place)
        try:
            await place
        except BaseException:
            with suppress(ValueError):
                self._waiting.remove(place)
            if place.done() and not place.cancelled():
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return

    def _close_one_idle(self) -> bool:
        """Make room by closing the connection that has been idle longest."""
        kept = min((each for each in self._idle.values() if each), key=lambda each: each[0].idle_since, default=None)
        if kept is None:
            return False
        self._discard(kept.popleft())
        return True

    def _close_old(self) -> None:
        horizon = self._loop.time() - _IDLE_SECONDS
        for origin, kept in list(self._idle.items()):
            while kept and (kept[0].idle_since <= horizon or not kept[0].reusable):
                self._discard(kept.popleft())
            if not kept:
                del self._idle[origin]
        self._sweep = self._loop.call_later(_IDLE_SECONDS / 2, self._close_old) if self._idle else None

    async def _connect(self, origin: Origin, connect_seconds: float) -> Connection:
        try:
            async with asyncio.timeout(connect_seconds):
                addresses = self._permitted(await self._resolve(origin.host, origin.port))
                tls = await self._tls_context() if origin.tls else None
                sock = await start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    _, connection = await self._loop.create_connection(
                        lambda: Connection(self._loop),
                        sock=sock,
                        ssl=tls,
                        server_hostname=origin.host if origin.tls else None,
                    )
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError as error:
            self._resolved.pop((origin.host, origin.port), None)
            raise CallTimedOut from error
        except ssl.SSLError as error:
            raise CallFailed("tls_failed", connected=False) from error
        except (socket.gaierror, UnicodeError) as error:  # the latter for a name with labels that none can have
            raise CallFailed("name_not_resolved", connected=False) from error
        except OSError as error:
            self._resolved.pop((origin.host, origin.port), None)  # It may have moved.
            raise CallFailed("connect_failed", connected=False) from error
        return connection

    def _permitted(self, addresses: list[AddrInfoType]) -> list[AddrInfoType]:
        """What providers may have of ``addresses``: these very ones are connected to. Raises ``CallFailed``."""
        permitted = [info for info in addresses if refusal(str(info[4][0]), self._allowed) is None]
        if not permitted:
            raise CallFailed("address_refused", connected=False)
        return permitted

    async def _resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Raises ``OSError``."""
        known = self._resolved.get((host, port))
        if known is not None and known[0] > self._loop.time():
            return known[1]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            found: list[AddrInfoType] = list(
                await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            )
        else:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            where: tuple[object, ...] = (host, port) if address.version == 4 else (host, port, 0, 0)
            found = [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]
        if len(self._resolved) >= 1024:  # Names are declared, so this is many declarations ago.
            self._resolved.clear()
        self._resolved[host, port] = (self._loop.time() + _RESOLVED_SECONDS, found)
        return found

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # Reading all certificates of the system takes longer than the loop should be held.
            self._tls = await self._loop.run_in_executor(None, _make_tls_context)
        return self._tls


def _make_tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
