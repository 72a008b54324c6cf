"""Follows one object by name, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from fairlead_kube.backoff import Backoff
from fairlead_kube.client import Event, Json, KubeClient
from fairlead_kube.errors import KubeError, NoAccess

logger = logging.getLogger("fairlead.kube")

FAILURES = (KubeError, NoAccess, aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError)
"""What a request to an API server that is away, overloaded or broken raises."""

_SERVER_SECONDS = 300
_GRACE_SECONDS = 1.0
"""How long an event may be under way."""


@dataclass(slots=True)
class _Told:
    """The object as the watch last told it, or the read before it."""

    version: str | None
    """``None``: it does not exist."""


async def follow_object(
    client: KubeClient,
    collection: str,
    name: str,
    take: Callable[[Json | None], Awaitable[None]],
    *,
    backoff: Backoff,
    connected: Callable[[bool, str], None],
    inactivity_seconds: float = 70.0,
    look_seconds: float = 10.0,
) -> None:
    """Call ``take`` with the object's present state (``None``: it does not exist) and again after each change.

    Every time the stream ends, for whatever reason, the object is read afresh before it is watched on: so neither a
    lost event nor a server whose history was set back goes unnoticed. While the stream is open, the object's version
    is looked at every ``look_seconds``: a stream that stays open and tells nothing is given up as soon as it has left
    something out, not when its silence has become suspicious. ``connected`` hears of every sign of life, and of loss
    with its reason. Never returns and never raises for what the server does.
    """
    selector = {"fieldSelector": f"metadata.name={name}"}
    while True:
        try:
            page = await client.get(collection, selector)
            items = page.get("items") or [None]
            connected(True, "")
            told = _Told(_version(items[0]))
            await take(items[0])
            since = str((page.get("metadata") or {}).get("resourceVersion", ""))
            query = {**selector, "resourceVersion": since, "timeoutSeconds": str(_SERVER_SECONDS)}
            async with client.watch(collection, query, inactivity_seconds=inactivity_seconds) as events:
                listening = asyncio.create_task(_listen(events, take, backoff, connected, told), name=f"watch {name}")
                try:
                    while not (await asyncio.wait({listening}, timeout=look_seconds))[0]:
                        if await _missed(client, collection, selector, name, told):
                            logger.warning("the watch of %s in %s tells nothing; it is read again", name, collection)
                            break
                    else:
                        listening.result()
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            connected(False, reason)
            logger.warning("following %s of %s: %s", name, collection, reason)
        await asyncio.sleep(backoff.next())


async def _listen(
    events: AsyncIterator[Event],
    take: Callable[[Json | None], Awaitable[None]],
    backoff: Backoff,
    connected: Callable[[bool, str], None],
    told: _Told,
) -> None:
    async for event in events:
        backoff.reset()
        connected(True, "")
        if event.type != "BOOKMARK":
            found = None if event.type == "DELETED" else event.object
            told.version = _version(found)
            await take(found)


async def _missed(client: KubeClient, collection: str, selector: Mapping[str, str], name: str, told: _Told) -> bool:
    """Whether the object has changed and the watch does not say so. A server that cannot be asked is no proof."""
    before = told.version
    try:
        now = (await client.versions(collection, selector)).get(name)
    except FAILURES:
        return False
    if now == before:
        return False
    await asyncio.sleep(_GRACE_SECONDS)
    return told.version == before


def _version(found: Json | None) -> str | None:
    return None if found is None else str(found["metadata"]["resourceVersion"])
