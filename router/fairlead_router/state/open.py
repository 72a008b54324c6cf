"""Which store a router has: its own, that of its machine's workers, or Redis; and what is said when it is not shared."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from fairlead_router.settings import SettingError, Settings
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.state.store import StateStore, StoreUnavailable

logger = logging.getLogger("fairlead.store")

COMPONENT = "store"
"""Its name among what may be degraded."""


async def open_store(
    settings: Settings, socket: Path | None, stack: AsyncExitStack, *, degraded: dict[str, str]
) -> StateStore:
    """The store, closed by ``stack``. ``socket``: where the store of this machine's workers listens.

    Raises ``SettingError`` if several routers would not share, or a store that is required does not answer.
    """
    inner, where = _shared_store(settings, socket)
    if settings.redis_url is None:
        _must_be_shared(settings, degraded)
    if inner is None:
        return MemoryStore()

    if settings.draw_key is None:
        logger.warning(
            "FAIRLEAD_DRAW_KEY is not set: each router hashes users and sessions with a key of its own, so affinity ends "
            "at the router; set it to the same text for all"
        )

    def changed(away: str | None) -> None:
        if away is None:
            degraded.pop(COMPONENT, None)
        else:
            degraded[COMPONENT] = (
                f"StoreUnavailable: {where}: {away}; affinity and open breakers of other routers are not seen, "
                "spending is written down and charged when it is back"
            )

    store = ResilientStore(inner, changed=changed, operation_seconds=settings.redis_operation_seconds)
    stack.push_async_callback(store.close)
    try:
        await store.start()
    except StoreUnavailable as error:
        if settings.store_required:
            raise SettingError(
                f"the state store {where} does not answer: {error}; mend FAIRLEAD_REDIS_URL or start it, "
                "or set FAIRLEAD_STORE_REQUIRED=false to serve without it until it is there"
            ) from error
        logger.warning("starting without the state store %s: %s; it is looked for every second", where, error)
    keeping = asyncio.create_task(store.keep(), name="state store")
    stack.push_async_callback(_cancelled, keeping)
    return store


def _shared_store(settings: Settings, socket: Path | None) -> tuple[StateStore | None, str]:
    if settings.redis_url is not None:
        # Loading the client takes a tenth of a second and 10 MB, which only its users pay.
        from fairlead_router.state.redis import RedisStore
        from fairlead_router.state.redis_client import BadRedisUrl, RedisAccess, redis_client

        access = RedisAccess(
            settings.redis_url,
            password=_secret(settings.redis_password_file),
            sentinel_password=_secret(settings.redis_sentinel_password_file),
            connect_seconds=settings.redis_connect_seconds,
            operation_seconds=settings.redis_operation_seconds,
            max_connections=settings.redis_max_connections,
        )
        try:
            return RedisStore(redis_client(access), prefix=settings.redis_prefix), access.shown
        except BadRedisUrl as error:
            raise SettingError(f"FAIRLEAD_REDIS_URL {error}") from None
    if socket is not None:
        from fairlead_router.state.socket_client import SocketStore

        return SocketStore(socket), "of this machine"
    return None, ""


def _must_be_shared(settings: Settings, degraded: dict[str, str]) -> None:
    if settings.replicas <= 1:
        return
    if not settings.allow_unshared_store:
        raise SettingError(
            f"FAIRLEAD_REPLICAS={settings.replicas} routers need a state store that they share, or budgets, affinity and "
            "breakers hold for each alone: set FAIRLEAD_REDIS_URL, or FAIRLEAD_ALLOW_UNSHARED_STORE=true to accept that"
        )
    degraded[COMPONENT] = (
        f"StoreNotShared: {settings.replicas} routers without FAIRLEAD_REDIS_URL; "
        "budgets, affinity and breakers hold for each alone"
    )


def _secret(file: Path | None) -> str | None:
    """The text of a file without the newline at its end. Raises ``SettingError``."""
    if file is None:
        return None
    try:
        return file.read_text().removesuffix("\n")
    except OSError as error:
        raise SettingError(f"the password file {file} cannot be read: {error.strerror}") from error


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
