"""Opens the doors that are wanted, in the order that serves soonest: disk, mounted files, API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from fairlead_kube.client import KubeClient
from fairlead_router.config.doors.api_watch import ApiDoor, PublishedObjects
from fairlead_router.config.doors.last_good import LastGoodDoor
from fairlead_router.config.doors.mounted import MountedDoor, MountedFiles
from fairlead_router.config.doors.status import DoorName, Doors
from fairlead_router.config.receiver import ConfigReceiver


@dataclass(frozen=True, slots=True)
class Sources:
    """Which doors there are; ``None`` leaves one shut."""

    last_good: Path | None = None
    """A folder, made if it is missing."""
    files: MountedFiles | None = None
    published: PublishedObjects | None = None


async def follow_sources(
    sources: Sources,
    receiver: ConfigReceiver,
    doors: Doors,
    *,
    degraded: dict[str, str],
    user_agent: str,
    draw: Callable[[], float],
) -> None:
    """Offer what comes through any door, until cancelled. ``doors`` and ``degraded`` show how each of them fares.

    Raises :class:`fairlead_kube.errors.NoAccess` at once if the API server's certificate cannot be used; nothing that
    happens later ends it.
    """
    async with AsyncExitStack() as stack:
        client = None
        if sources.published is not None:
            client = await stack.enter_async_context(KubeClient(sources.published.access, user_agent=user_agent))
        tasks = asyncio.TaskGroup()
        await stack.enter_async_context(tasks)
        if sources.last_good is not None:
            last_good = LastGoodDoor(
                sources.last_good, receiver, doors.add(DoorName.LAST_GOOD), degraded=degraded, draw=draw
            )
            await last_good.load()
            tasks.create_task(last_good.follow(), name="last-good")
        if sources.files is not None:
            mounted = MountedDoor(sources.files, receiver, doors.add(DoorName.FILE), seed=client is not None)
            await mounted.look()
            tasks.create_task(mounted.follow(), name="snapshot-file")
        if sources.published is not None and client is not None:
            api = ApiDoor(sources.published, receiver, doors.add(DoorName.API), degraded=degraded, draw=draw)
            tasks.create_task(api.follow(client), name="api-server")
