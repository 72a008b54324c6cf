"""HTTP by hand, for requests that no client library would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.router_e2e.harness import Harness


class RawConnection:
    """A connection on which any bytes may be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send; a connection that the router has closed is no error, its answer may be there already."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, RuntimeError):
            return

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split(" ")[1]), headers, body

    async def error(self) -> tuple[int, str | None]:
        """Status and ``error.code`` of the next answer, which must be JSON in OpenAI's shape."""
        status, _, body = await self.answer()
        error: dict[str, Any] = json.loads(body)["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return status, error["code"]


@asynccontextmanager
async def raw_connection(router: Harness) -> AsyncIterator[RawConnection]:
    """A connection to the client port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", router.running.port)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def chat_head(*headers: str) -> bytes:
    """The head of a chat request."""
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")
