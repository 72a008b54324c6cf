"""Requests to the API server: one try each. Whoever calls decides about repeating."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec

from fairlead_kube.access import KubeAccess
from fairlead_kube.errors import KubeError

APPLY = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML."""

MERGE = "application/merge-patch+json"

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_PAGE = 500
_MAX_EVENT_BYTES = 16 * 1024 * 1024
"""etcd takes no object beyond 1.5 MiB; a longer line is no event."""

Json = dict[str, Any]


class Event(msgspec.Struct):
    """One line of a watch."""

    type: str
    object: Json


_OBJECT = msgspec.json.Decoder(Json)
_EVENT = msgspec.json.Decoder(Event)


class KubeClient:
    """One connection pool to one API server. Use as an async context manager."""

    def __init__(
        self, access: KubeAccess, *, user_agent: str, request_seconds: float = 15.0, connect_seconds: float = 5.0
    ) -> None:
        self.access = access
        self._timeout = aiohttp.ClientTimeout(total=request_seconds, sock_connect=connect_seconds)
        self._stream_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> KubeClient:
        connector = aiohttp.TCPConnector(ssl=self.access.ssl_context(), limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """One object, or one page of a list. Raises :class:`KubeError`, ``aiohttp.ClientError`` or ``TimeoutError``."""
        return await self.request("GET", path, query)

    async def list_all(self, path: str, query: Mapping[str, str] | None = None) -> tuple[list[Json], str]:
        """All pages of a list: the items and the resource version they were read at. Raises as :meth:`get` does.

        A list whose pages expired half-way is begun again, once.
        """
        try:
            return await self._list(path, query or {})
        except KubeError as error:
            if not error.gone:
                raise
        return await self._list(path, query or {})

    async def versions(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, str]:
        """The resource version of each object of a list, by name; nothing of their content is sent."""
        page = await self.request("GET", path, query, accept=_METADATA_ONLY)
        found = (item["metadata"] for item in page.get("items") or ())
        return {metadata["name"]: metadata["resourceVersion"] for metadata in found}

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST. Raises :class:`KubeError` with ``conflict`` if it exists already."""
        return await self.request("POST", path, {}, body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Json:
        """PUT; with ``metadata.resourceVersion`` in ``body`` only if nobody else wrote since."""
        return await self.request("PUT", path, {}, body)

    async def apply(self, path: str, body: Mapping[str, Any], *, manager: str, force: bool = True) -> Json:
        """Server-side apply. A ``metadata.resourceVersion`` in ``body`` is a precondition: 409 if it is another."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.request("PATCH", path, query, body, APPLY)

    async def merge(self, path: str, body: Mapping[str, Any]) -> Json:
        """JSON merge patch."""
        return await self.request("PATCH", path, {}, body, MERGE)

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Json:
        """One request and its decoded answer. Raises :class:`KubeError`, ``aiohttp.ClientError`` or ``TimeoutError``."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {**self.access.headers(), "Accept": accept}
        if data is not None:
            headers["Content-Type"] = content_type
        async with self._open().request(
            method, self.access.server + path, params=query, data=data, headers=headers, timeout=self._timeout
        ) as response:
            answer = await response.read()
            if response.status >= 400:
                raise _error(response.status, answer, response.headers)
        return _OBJECT.decode(answer)

    @asynccontextmanager
    async def watch(
        self, path: str, query: Mapping[str, str], *, inactivity_seconds: float = 70.0
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a watch until the server ends it. Bookmarks come every minute, so longer silence is a dead
        connection: ``TimeoutError``. Raises as :meth:`get` does, also for an event of type ``ERROR``.
        """
        wanted = {"watch": "true", "allowWatchBookmarks": "true", **query}
        async with asyncio.timeout(self._timeout.total) as opening:
            async with self._open().get(
                self.access.server + path, params=wanted, headers=self.access.headers(), timeout=self._stream_timeout
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), response.headers)
                opening.reschedule(None)
                try:
                    yield _events(response, inactivity_seconds)
                finally:
                    # A polite end of TLS would outlive the loop when the server does not answer any more.
                    if response.connection is not None and response.connection.transport is not None:
                        response.connection.transport.abort()

    async def _list(self, path: str, query: Mapping[str, str]) -> tuple[list[Json], str]:
        items: list[Json] = []
        wanted = {"limit": str(_PAGE), **query}
        while True:
            page = await self.get(path, wanted)
            items.extend(page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            wanted["continue"] = metadata["continue"]

    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use the client as a context manager"
        return self._session


async def _events(response: aiohttp.ClientResponse, inactivity_seconds: float) -> AsyncIterator[Event]:
    buffer = bytearray()
    while True:
        async with asyncio.timeout(inactivity_seconds):
            chunk = await response.content.readany()
        if not chunk:
            return
        buffer += chunk
        if len(buffer) > _MAX_EVENT_BYTES:
            raise KubeError(500, "EventTooLarge", f"an event of a watch is longer than {_MAX_EVENT_BYTES} bytes")
        *lines, rest = bytes(buffer).split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            if line.strip():
                event = _EVENT.decode(line)
                if event.type == "ERROR":
                    raise _error_of(event.object, 500, None)
                yield event


def _error(status: int, answer: bytes, headers: Mapping[str, str]) -> KubeError:
    decoded: Any = None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        decoded = msgspec.json.decode(answer)
    pause = _retry_after(headers.get("Retry-After"))
    if isinstance(decoded, dict) and decoded.get("kind") == "Status":
        return _error_of(decoded, status, pause)
    return KubeError(status, "", answer[:200].decode("utf-8", "replace"), pause)


def _error_of(decoded: Mapping[str, Any], status: int, pause: float | None) -> KubeError:
    code = decoded.get("code")
    message = str(decoded.get("message") or "")
    return KubeError(code if isinstance(code, int) else status, str(decoded.get("reason") or ""), message, pause)


def _retry_after(text: str | None) -> float | None:
    if text is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.datetime.now(datetime.UTC)).total_seconds())
    return None
