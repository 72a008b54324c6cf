"""The transport over HTTP/1.1, with TLS where the address says so. Why it is our own: ADR 0012."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from multidict import CIMultiDict
from yarl import URL

from fairlead_router.dispatch.transport.base import Answer, CallFailed
from fairlead_router.dispatch.transport.connection import Connection
from fairlead_router.dispatch.transport.inflate import Inflate
from fairlead_router.dispatch.transport.pool import Origin, Pool
from fairlead_router.settings import Settings

_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent"})
"""Framing and connection are the transport's own business, whatever a declared header says."""
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_MAX_HEADS = 4096


class Http1Transport:
    """See :class:`~fairlead_router.dispatch.transport.base.Transport`. Made inside a running loop."""

    def __init__(self, settings: Settings) -> None:
        self._pool = Pool(limit=settings.max_upstream_connections, allowed=settings.allow_networks)
        self._agent = f"fairlead/{version('fairlead')}"
        self._heads: dict[tuple[str, URL, int], tuple[CIMultiDict[str], Origin, bytes]] = {}
        """Origin and head by method, address and identity of the headers, which are kept so that it stays theirs."""

    async def request(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes,
        *,
        connect_seconds: float,
        extra: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """See the interface."""
        origin, head = self._head(method, url, headers)
        if extra:
            head += b"".join([_line(name, value) for name, value in extra])
        if body or method == "POST":
            head += b"Content-Length: %d\r\n" % len(body)
        connection = await self._pool.acquire(origin, connect_seconds=connect_seconds)
        try:
            await connection.send(head + b"\r\n", body)
            return Http1Answer(self._pool, origin, connection)
        except BaseException:
            connection.abort()
            self._pool.release(origin, connection)
            raise

    @property
    def has_idle(self) -> bool:
        """Whether a kept connection waits for its next request."""
        return self._pool.has_idle

    async def close(self) -> None:
        """See the interface."""
        self._pool.close()

    def _head(self, method: str, url: URL, headers: CIMultiDict[str]) -> tuple[Origin, bytes]:
        """Everything of a request's head but its length, made once for each endpoint. Raises ``CallFailed``."""
        key = (method, url, id(headers))
        known = self._heads.get(key)
        if known is not None:
            return known[1], known[2]
        origin, head = make_head(method, url, headers, self._agent)
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        self._heads[key] = (headers, origin, head)
        return origin, head


def make_head(method: str, url: URL, headers: CIMultiDict[str], agent: str) -> tuple[Origin, bytes]:
    """Where to connect to, and the lines of the head that are the same each time.

    Raises ``CallFailed`` for what no header can carry.
    """
    host, port = url.raw_host, url.port
    if host is None or port is None or url.scheme not in {"http", "https"}:
        raise CallFailed("bad_address", connected=False)
    lines = [
        f"{method} {url.raw_path_qs} HTTP/1.1\r\n".encode(),
        _line("Host", url.host_port_subcomponent or host),
        _line("User-Agent", agent),
        _line("Accept-Encoding", "identity"),
        *(_line(name, value) for name, value in headers.items() if name.lower() not in _OURS),
    ]
    return Origin(host, port, url.scheme == "https"), b"".join(lines)


def _line(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise CallFailed("bad_header", connected=False)
    return f"{name}: {value}\r\n".encode("latin-1")


class Http1Answer:
    """See :class:`~fairlead_router.dispatch.transport.base.Answer`."""

    __slots__ = ("_connection", "_inflate", "_origin", "_pool", "status")

    def __init__(self, pool: Pool, origin: Origin, connection: Connection) -> None:
        """Raises ``CallFailed`` for an encoding that nobody asked for."""
        encoding = connection.headers.get(b"content-encoding", b"identity")
        self._inflate = None if encoding.lower() in {b"identity", b""} else Inflate(encoding.decode("latin-1"))
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection
        self.status = connection.status

    def header(self, name: str) -> str | None:
        """See the interface."""
        if self._connection is None:
            return None
        value = self._connection.headers.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    @property
    def is_event_stream(self) -> bool:
        """See the interface."""
        media_type = (self.header("content-type") or "").partition(";")[0]
        return media_type.strip().lower() == "text/event-stream"

    async def read(self, max_bytes: int) -> bytes:
        """See the interface."""
        connection = self._connection
        if connection is None:
            raise CallFailed("answer_cut", connected=True)
        if self._inflate is None:
            return await connection.read_whole(max_bytes)
        parts, size = [], 0
        while part := await self.read_chunk():
            size += len(part)
            if size > max_bytes:
                raise CallFailed("answer_too_large", connected=True)
            parts.append(part)
        return b"".join(parts)

    async def read_chunk(self) -> bytes:
        """See the interface."""
        connection, inflate = self._connection, self._inflate
        if connection is None:
            raise CallFailed("answer_cut", connected=True)
        if inflate is None:
            return await connection.read_some()
        if inflate.waiting and (piece := inflate.feed()):
            return piece
        while data := await connection.read_some():
            if piece := inflate.feed(data):
                return piece
        if not inflate.finished:
            raise CallFailed("answer_cut", connected=True)
        return b""

    def close(self) -> None:
        """See the interface."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not connection.reusable:
            connection.abort()
        self._pool.release(self._origin, connection)
