"""Azure OpenAI: the OpenAI protocol at addresses of its own.

Source: Azure OpenAI's REST reference. The deployment stands in the path and the version of the API in the query; an endpoint
whose address ends in ``/openai/v1`` is the newer API, which has neither.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from yarl import URL

from fairlead_router.dialect.operations import OPERATIONS
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.providers.openai_compatible import post
from fairlead_router.dispatch.transport.base import Answer, Transport

_NEWER = "/openai/v1/"


@lru_cache(maxsize=1024)  # a few for each deployment
def azure_url(base: URL, deployment: str, path: str, api_version: str) -> URL:
    """Where ``deployment`` answers the operation at ``path``. ``base`` ends in a slash."""
    if base.path.endswith(_NEWER):
        return base.join(URL(path))
    name = quote(deployment, safe="")  # A slash in it is no step of the path.
    return azure_root_url(base, f"/deployments/{name}/{path}", api_version)


def azure_root_url(base: URL, path: str, api_version: str) -> URL:
    """Where ``path``, which begins with a slash, lies below the API itself; ``/models`` lists what is there."""
    if base.path.endswith(_NEWER):
        return URL(f"{base}{path[1:]}", encoded=True)
    root = str(base) if base.path.endswith("/openai/") else f"{base}openai/"
    return URL(f"{root}{path[1:]}", encoded=True).with_query({"api-version": api_version})


class AzureOpenAI:
    """Posts to the deployment that is the model's upstream name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(self, call: Call) -> Answer:
        """See the interface."""
        provider = call.model.provider.fragment
        url = azure_url(
            call.endpoint.url,
            call.model.model.upstream_name,
            OPERATIONS[call.request.type].path,
            provider.azure_api_version,
        )
        return await post(self._transport, call, url)
