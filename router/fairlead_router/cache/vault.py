"""Where answers are kept: the state store, asked in little time and trusted in nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fairlead_router.cache.counts import CacheCounts, Fault
from fairlead_router.cache.keyring import Keyring
from fairlead_router.state.store import StateStore, StoreUnavailable

T = TypeVar("T")

_PAUSE_SECONDS = 1.0
"""How long a store that failed or was slow is left alone, so that not every request waits for it."""


class Vault:
    """Sealed values in ``store``. Never raises for the store's sake: what fails is a miss, and counted."""

    def __init__(
        self,
        store: StateStore,
        keyring: Keyring,
        counts: CacheCounts,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        timeout_seconds: float,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._counts = counts
        self._clock = clock
        self._wall = wall
        self._timeout = timeout_seconds
        self._paused_until = 0.0

    async def fetch(self, workspace: str, name: str) -> bytes | None:
        """What is kept under ``name``, if it can be had and opened."""
        sealed = await self._ask(lambda: self._store.get(name, now=self._wall()))
        if sealed is None:
            return None
        plain = self._keyring.open(workspace, name, sealed)
        if plain is None:
            self._counts.fault(Fault.UNREADABLE)
        return plain

    async def keep(self, workspace: str, name: str, plain: bytes, *, ttl_seconds: float) -> bool:
        """Keep ``plain`` under ``name``; false if the store did not take it."""
        sealed = self._keyring.seal(workspace, name, plain)

        async def put() -> bool:
            await self._store.put(name, sealed, now=self._wall(), ttl_seconds=ttl_seconds)
            return True

        return await self._ask(put) is True

    async def claim(self, name: str, holder: bytes, *, ttl_seconds: float) -> bool | None:
        """Whether ``name`` is this holder's now; ``None`` if the store cannot say."""
        return await self._ask(
            lambda: self._store.put_if_absent(name, holder, now=self._wall(), ttl_seconds=ttl_seconds)
        )

    async def hold(self, name: str, holder: bytes, *, ttl_seconds: float) -> None:
        """Go on holding what was claimed."""
        await self._ask(lambda: self._store.put(name, holder, now=self._wall(), ttl_seconds=ttl_seconds))

    async def release(self, name: str, holder: bytes) -> None:
        """Let go of what was claimed, unless it is another's by now."""
        await self._ask(lambda: self._store.delete(name, now=self._wall(), only=holder))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        if self._clock() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                return await call()
        except TimeoutError:
            fault = Fault.SLOW
        except (StoreUnavailable, OSError):
            fault = Fault.UNREACHABLE
        self._counts.fault(fault)
        self._paused_until = self._clock() + _PAUSE_SECONDS
        return None
