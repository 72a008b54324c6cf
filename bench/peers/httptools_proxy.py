"""The least a proxy in Python can be: asyncio protocols on uvloop, C parsers of httptools, nothing between them.

``python httptools_proxy.py URL`` prints the port it listens on. JSON is parsed and written both ways for whole answers,
with the standard library as in ``bench.proxy.bare``; streams pass chunk by chunk, what came in one read leaves in one
write. It measures, and is no proxy to use: no pipelining, no limits, no timeouts, and whatever goes wrong closes the
connection.

Runs in an environment of its own, so it imports nothing of this tree.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_STREAM_END = b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection to the provider; serves one client at a time, then goes back into the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._client: Client | None = None
        self._stream = False
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, client: Client, head_and_body: bytes, *, stream: bool) -> None:
        """Send a request whose answer belongs to ``client``."""
        self._client, self._stream = client, stream
        self.transport.write(head_and_body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        if self._client is not None:
            self._client.fail()

    def data_received(self, data: bytes) -> None:
        client = self._client
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError):
            self.transport.close()
            return
        if self._stream and client is not None and self._parts:
            client.write(b"".join(self._parts))
            self._parts.clear()
        if self._client is None:
            self._parts.clear()
            self._pool.give_back(self)

    def on_headers_complete(self) -> None:
        if self._stream:
            self._parts.append(_STREAM_HEAD % self._parser.get_status_code())

    def on_body(self, data: bytes) -> None:
        self._parts.append(b"%x\r\n%b\r\n" % (len(data), data) if self._stream else data)

    def on_message_complete(self) -> None:
        client, self._client = self._client, None
        if self._stream:
            self._parts.append(_STREAM_END)
        elif client is not None:
            body = json.dumps(json.loads(b"".join(self._parts))).encode()
            client.write(_HEAD % (self._parser.get_status_code(), len(body)) + body)


class Pool:
    """Idle connections to the provider, the last used first."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._idle: list[Upstream] = []
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, client: Client, body: bytes, *, stream: bool) -> None:
        """Pass a request on, by an idle connection or a new one."""
        request = self._head + b"%d\r\n\r\n%b" % (len(body), body)
        if self._idle:
            self._idle.pop().ask(client, request, stream=stream)
            return
        task = asyncio.get_running_loop().create_task(self._open(client, request, stream=stream))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, client: Client, request: bytes, *, stream: bool) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, upstream = await loop.create_connection(lambda: Upstream(self), self._host, self._port)
        except OSError:
            client.fail()
            return
        upstream.ask(client, request, stream=stream)

    def give_back(self, upstream: Upstream) -> None:
        """Its answer is complete."""
        self._idle.append(upstream)

    def forget(self, upstream: Upstream) -> None:
        """It was closed."""
        if upstream in self._idle:
            self._idle.remove(upstream)


class Client(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError):
            self.transport.close()

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        body = json.loads(b"".join(self._body) or b"{}")
        self._body.clear()
        self._pool.send(self, json.dumps(body).encode(), stream=bool(body.get("stream")))

    def write(self, data: bytes) -> None:
        """Give back a part of the answer."""
        self.transport.write(data)

    def fail(self) -> None:
        """There is no answer, or no rest of it."""
        self.transport.write(_BAD_GATEWAY)
        self.transport.close()


async def serve(url: str) -> None:
    """Until killed."""
    pool = Pool(url)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(pool), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
