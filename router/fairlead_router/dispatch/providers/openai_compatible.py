"""Providers that speak the OpenAI protocol over HTTP: OpenAI itself, vLLM, Ollama and many others."""

from __future__ import annotations

from functools import lru_cache

from yarl import URL

from fairlead_router.dialect.operations import OPERATIONS
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.transport.base import Answer, Transport


@lru_cache(maxsize=1024)  # a few for each endpoint
def _url(base: URL, path: str) -> URL:
    return base.join(URL(path))


class OpenAICompatible:
    """Posts to the operation's path below the endpoint's address, such as ``<url>/chat/completions``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(self, call: Call) -> Answer:
        """See the interface."""
        url = _url(call.endpoint.url, OPERATIONS[call.request.type].path)
        return await post(self._transport, call, url)


async def post(transport: Transport, call: Call, url: URL) -> Answer:
    """Send the request to ``url`` with the edits that are ours to make. Raises ``CallFailed`` or ``CallTimedOut``."""
    model = call.model.model
    body = call.request.upstream_body(
        model.upstream_name,
        default_temperature=model.default_temperature,
        default_max_output_tokens=model.default_max_output_tokens,
    )
    return await transport.request(
        "POST",
        url,
        call.endpoint.headers,
        body,
        connect_seconds=call.connect_seconds,
        extra=call.extra_headers(),
    )
