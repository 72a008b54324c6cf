"""Adapters: one file a provider type, all of one shape, one contract test over all of them.

In comes a :class:`~fairlead_router.dispatch.providers.base.Call`; out comes an answer that has begun, in the client's
dialect. Retrying, choosing and counting do not belong here. Adding one: write the file, add it to ``make_adapters``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fairlead_router.dispatch.providers.azure_openai import AzureOpenAI
from fairlead_router.dispatch.providers.base import Adapter
from fairlead_router.dispatch.providers.openai_compatible import OpenAICompatible
from fairlead_router.dispatch.providers.simulated import Simulated
from fairlead_router.dispatch.transport.base import Transport


def make_adapters(transport: Transport) -> Mapping[str, Adapter]:
    """The adapters by ``spec.type``."""
    openai = OpenAICompatible(transport)
    return {
        "OpenAI": openai,
        "OpenAICompatible": openai,
        "AzureOpenAI": AzureOpenAI(transport),
        "Simulated": Simulated(asyncio.sleep),
    }
