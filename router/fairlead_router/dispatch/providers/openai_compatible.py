"""Providers that speak the OpenAI protocol over HTTP: OpenAI itself, vLLM, Ollama and many others."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from io import BytesIO

import aiohttp
from yarl import URL

from fairlead_router.dispatch.addresses import AddressRefused
from fairlead_router.dispatch.providers.base import Answer, Call, CallFailed, CallTimedOut

_CHAT = URL("chat/completions")


@lru_cache(maxsize=1024)  # one for each endpoint
def _chat_url(base: URL) -> URL:
    return base.join(_CHAT)


@lru_cache(maxsize=64)
def _timeout(connect_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect_seconds)


_LARGE_BYTES = 1 << 20


class OpenAICompatible:
    """Posts to ``<endpoint url>/chat/completions``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def open(self, call: Call) -> Answer:
        """See the interface."""
        model = call.model.model
        body = call.request.upstream_body(
            model.upstream_name,
            default_temperature=model.default_temperature,
            default_max_output_tokens=model.default_max_output_tokens,
        )
        try:
            response = await self._session.post(
                _chat_url(call.endpoint.url),
                # A large body given as bytes is copied and sent in one go; as a file it is sent piece by piece.
                data=body if len(body) <= _LARGE_BYTES else BytesIO(body),
                headers=call.endpoint.headers,
                timeout=_timeout(call.connect_seconds),
                allow_redirects=False,
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise CallTimedOut from error
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            raise CallFailed("address_refused" if refused else "connect_failed", connected=False) from error
        except (aiohttp.ClientError, ConnectionError, OSError, ValueError) as error:
            raise CallFailed("no_answer", connected=True) from error
        return _HTTPAnswer(response)


class _HTTPAnswer:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    @property
    def retry_after(self) -> tuple[str | None, str | None]:
        headers = self._response.headers
        return headers.get("retry-after"), headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms")

    @property
    def is_event_stream(self) -> bool:
        media_type = self._response.headers.get("content-type", "").partition(";")[0]
        return media_type.strip().lower() == "text/event-stream"

    async def read(self, max_bytes: int) -> bytes:
        content = self._response.content
        length = self._response.content_length
        if length is not None and length > max_bytes:
            raise CallFailed("answer_too_large", connected=True)
        try:
            # A provider may compress although it was asked not to; its length is then not that of what is read.
            if length is not None and "content-encoding" not in self._response.headers:
                return await content.readexactly(length)
            parts, size = [], 0
            while part := await content.readany():
                size += len(part)
                if size > max_bytes:
                    raise CallFailed("answer_too_large", connected=True)
                parts.append(part)
            return b"".join(parts)
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            raise CallFailed("answer_cut", connected=True) from error

    async def read_chunk(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed("answer_cut", connected=True) from error

    def close(self) -> None:
        response = self._response
        if response.content.at_eof() and response.content.exception() is None:
            response.release()
        else:
            response.close()
