"""As much HTTP as the admin port takes: small requests, one a connection, answers with a length.

The supervisor speaks it itself. A server with everything would double the memory of a process that has nothing else to do;
clients of applications never talk to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 1024 * 1024
_REQUEST_SECONDS = 10.0


class BadRequest(ValueError):
    """What came is no request that is served here."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    target: str
    """Path and query, as sent."""
    accept: str = ""
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    content_type: str
    body: bytes


Answer = Callable[[Request], Awaitable[Response]]


async def serve_connection(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request and close."""
    with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                request = await _read_request(reader)
        except (BadRequest, asyncio.LimitOverrunError) as error:
            response = Response(400, "text/plain; charset=utf-8", f"{error}\n".encode())
        else:
            response = await answer(request)
        body = b"" if response.status == HTTPStatus.NO_CONTENT else response.body
        writer.write(
            f"HTTP/1.1 {response.status} {_phrase(response.status)}\r\n"
            f"Content-Type: {response.content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
    writer.close()


async def ask(path: str, request: Request) -> Response:
    """The answer of the server at a Unix socket. Raises ``OSError`` or ``ValueError``."""
    reader, writer = await asyncio.open_unix_connection(path, limit=MAX_HEAD_BYTES)
    try:
        accept = f"Accept: {request.accept}\r\n" if request.accept else ""
        writer.write(
            f"{request.method} {request.target} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n{accept}"
            f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n".encode()
            + request.body
        )
        try:
            first, headers = await _read_head(reader)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the worker ended without an answer") from error
        _, _, status = first.partition(" ")
        body = await reader.read(-1)
        if len(body) != int(headers.get("content-length", len(body))):
            raise ConnectionResetError("the worker ended within its answer")
        return Response(int(status[:3]), headers.get("content-type", "application/json"), body)
    finally:
        writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    """Raises :class:`BadRequest`."""
    first, headers = await _read_head(reader)
    parts = first.split(" ")
    if len(parts) != 3 or not parts[1].startswith("/") or not parts[2].startswith("HTTP/1."):
        raise BadRequest("this is no HTTP request")
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES or "transfer-encoding" in headers:
        raise BadRequest(f"a body needs a Content-Length of at most {MAX_BODY_BYTES}")
    body = await reader.readexactly(int(length))
    return Request(parts[0], parts[1], headers.get("accept", ""), body)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The first line, and the headers with their names in small letters."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
