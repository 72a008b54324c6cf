"""The client of one request, as the handlers of inference see it: what it sent, and ways to answer.

Two things stand behind it: aiohttp (:class:`AiohttpClient`), which understands all of HTTP/1, and the front
(:mod:`fairlead_router.http.front`), which understands the plainest requests and is several times as fast with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from fairlead_router.admit.limits import Admission
from fairlead_router.http.bodies import read_body

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: CIMultiDict[str]
    """Without ``Content-Length``."""
    body: bytes
    close: bool = False
    """Nothing more is taken on this connection."""


class Stream(Protocol):
    """An answer whose head is sent."""

    async def write(self, data: bytes) -> None:
        """Send a piece, waiting while the client does not read. Raises ``ConnectionError`` when it is gone."""
        ...

    async def write_eof(self) -> None:
        """Say that this was all."""
        ...


class Client(Protocol):
    """See the module."""

    @property
    def method(self) -> str:
        """HTTP method."""
        ...

    @property
    def path(self) -> str:
        """Without the query."""
        ...

    @property
    def headers(self) -> Headers:
        """All of them."""
        ...

    async def read_body(self, admission: Admission, *, seconds: float) -> bytes:
        """The whole body, counted as held by ``admission``. Raises ``RouterError``."""
        ...

    async def send(self, reply: Reply) -> None:
        """Send ``reply`` and wait until the client has taken it. Raises ``ConnectionError`` when it is gone."""
        ...

    async def open_stream(self, headers: Mapping[str, str]) -> Stream:
        """Begin an answer of status 200 that comes in pieces. Raises ``ConnectionError`` when the client is gone."""
        ...

    def abort(self) -> None:
        """Hang up without a word."""
        ...


class AiohttpClient:
    """A request that aiohttp has read."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.method = request.method
        self.path = request.path
        self.headers = request.headers
        self.response: web.StreamResponse | None = None
        """What was sent already, for aiohttp to know."""

    async def read_body(self, admission: Admission, *, seconds: float) -> bytes:
        """See :class:`Client`."""
        return await read_body(self._request, admission, seconds=seconds)

    async def send(self, reply: Reply) -> None:
        """See :class:`Client`."""
        self.response = response = to_response(reply)
        await response.prepare(self._request)
        await response.write_eof()

    async def open_stream(self, headers: Mapping[str, str]) -> Stream:
        """See :class:`Client`."""
        self.response = response = web.StreamResponse(headers=headers)
        await response.prepare(self._request)
        return response

    def abort(self) -> None:
        """See :class:`Client`."""
        if self._request.transport is not None:
            self._request.transport.abort()


def to_response(reply: Reply) -> web.Response:
    """``reply`` for aiohttp."""
    response = web.Response(body=reply.body, status=reply.status, headers=reply.headers)
    if reply.close:
        response.force_close()
    return response
