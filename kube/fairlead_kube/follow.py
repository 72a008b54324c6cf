"""Follows one object by name, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

from fairlead_kube.backoff import Backoff
from fairlead_kube.client import Json, KubeClient
from fairlead_kube.errors import KubeError, NoAccess

logger = logging.getLogger("fairlead.kube")

FAILURES = (KubeError, NoAccess, aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError)
"""What a request to an API server that is away, overloaded or broken raises."""

_SERVER_SECONDS = 300


async def follow_object(
    client: KubeClient,
    collection: str,
    name: str,
    take: Callable[[Json | None], Awaitable[None]],
    *,
    backoff: Backoff,
    connected: Callable[[bool, str], None],
    inactivity_seconds: float = 70.0,
) -> None:
    """Call ``take`` with the object's present state (``None``: it does not exist) and again after each change.

    Every time the stream ends, for whatever reason, the object is read afresh before it is watched on: so neither a
    lost event nor a server whose history was set back goes unnoticed. ``connected`` hears of every sign of
    life, and of loss with its reason. Never returns and never raises for what the server does.
    """
    selector = {"fieldSelector": f"metadata.name={name}"}
    while True:
        try:
            page = await client.get(collection, selector)
            items = page.get("items") or [None]
            connected(True, "")
            await take(items[0])
            since = str((page.get("metadata") or {}).get("resourceVersion", ""))
            query = {**selector, "resourceVersion": since, "timeoutSeconds": str(_SERVER_SECONDS)}
            async with client.watch(collection, query, inactivity_seconds=inactivity_seconds) as events:
                async for event in events:
                    backoff.reset()
                    connected(True, "")
                    if event.type == "DELETED":
                        await take(None)
                    elif event.type != "BOOKMARK":
                        await take(event.object)
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            connected(False, reason)
            logger.warning("following %s of %s: %s", name, collection, reason)
        await asyncio.sleep(backoff.next())
