"""The client in front of the gateway: one connection, requests of exact bytes, answers as they arrive and as they end."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from fairlead_conformance.wire import LIMIT, Head, body_pieces, read_head


class Ended(Enum):
    """How the body of an answer ended."""

    NOT_YET = "not yet"
    COMPLETE = "complete"
    CUT = "cut short"
    RESET = "torn down"


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the gateway is, and what it wants to be told."""

    base_url: str
    """As an OpenAI client has it: ``/chat/completions`` is put behind it."""
    model: str = "auto"
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, body: bytes) -> bytes:
        """A chat request, head and body."""
        parts = urlsplit(self.base_url)
        headers = {"Host": parts.netloc, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        headers |= {**self.headers, "Content-Length": str(len(body))}
        lines = [f"POST {parts.path.rstrip('/')}/chat/completions HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Reply:
    """An answer, read as far as a case asks."""

    def __init__(self, head: Head, reader: asyncio.StreamReader) -> None:
        self.head = head
        self.status = int(head.line.split(" ")[1])
        self.body = bytearray()
        self.ended = Ended.NOT_YET
        self._pieces = body_pieces(reader, head, to_the_close=True)

    @property
    def keeps_alive(self) -> bool:
        """Whether the gateway left the connection open for another request, as far as its words go."""
        framed = self.head.chunked or self.head.length is not None
        return self.ended is Ended.COMPLETE and framed and self.head.get("connection").lower() != "close"

    @property
    def error(self) -> dict[str, object] | None:
        """The error of a body in OpenAI's shape, ``{"error": {"message": …}}``."""
        return error_in(bytes(self.body))

    async def until(self, marker: bytes) -> bool:
        """Read until ``marker`` is there; false if the body ends without it."""
        searched = 0
        while self.body.find(marker, searched) < 0:
            searched = max(0, len(self.body) - len(marker))
            if not await self._more():
                return False
        return True

    async def rest(self) -> None:
        """Read to the end."""
        while await self._more():
            pass

    async def _more(self) -> bool:
        try:
            self.body += await anext(self._pieces)
        except StopAsyncIteration:
            self.ended = Ended.COMPLETE
        except (asyncio.IncompleteReadError, ValueError):
            self.ended = Ended.CUT
        except ConnectionError:
            self.ended = Ended.RESET
        return self.ended is Ended.NOT_YET


def error_in(body: bytes) -> dict[str, object] | None:
    """The error object of a JSON text, if it has one with a message."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) and isinstance(error.get("message"), str) else None


class Connection:
    """One connection to the gateway."""

    def __init__(self, gateway: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._gateway = gateway
        self._reader = reader
        self._writer = writer

    async def send(self, body: bytes) -> None:
        """Send a chat request."""
        self._writer.write(self._gateway.request(body))
        await self._writer.drain()

    async def reply(self) -> Reply:
        """The head of the next answer. Raises ``IncompleteReadError`` or ``ConnectionError`` when there is none."""
        while (head := await read_head(self._reader)).line.split(" ")[1].startswith("1"):
            pass
        return Reply(head, self._reader)

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection, or tear it down."""
        if reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()


@asynccontextmanager
async def connection(gateway: Gateway) -> AsyncIterator[Connection]:
    """A connection, closed at the end of the block."""
    parts = urlsplit(gateway.base_url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
        limit=LIMIT,
    )
    try:
        yield Connection(gateway, reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
