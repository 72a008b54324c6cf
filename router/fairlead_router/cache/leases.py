"""Who of several routers is at work on a request: a claim in the shared store, renewed while the request lives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from fairlead_router.cache.vault import Vault

_LEASE_SECONDS = 15.0
"""How long a claim outlives its router."""
_RENEW_SECONDS = 5.0


class Leases:
    """The claims of this process."""

    def __init__(self, vault: Vault, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._vault = vault
        self._sleep = sleep
        self._holder = os.urandom(16)
        self._held: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None

    async def claim(self, name: str) -> bool:
        """Whether this router may go on. It may, too, when the store cannot say: nobody waits for a store."""
        lease = f"{name}/lease"
        granted = await self._vault.claim(lease, self._holder, ttl_seconds=_LEASE_SECONDS)
        if granted:
            self._held.add(lease)
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew(), name="leases")
        return granted is not False

    async def release(self, name: str) -> None:
        """The request is over."""
        lease = f"{name}/lease"
        if lease in self._held:
            self._held.discard(lease)
            if not self._held and self._renewing is not None:
                self._renewing.cancel()
                self._renewing = None
            await self._vault.release(lease, self._holder)

    async def close(self) -> None:
        """Renew nothing any more; what is held lapses."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            await self._sleep(_RENEW_SECONDS)
            for lease in list(self._held):
                if lease in self._held:
                    await self._vault.hold(lease, self._holder, ttl_seconds=_LEASE_SECONDS)
                    if lease not in self._held:  # Released meanwhile, and taken again just now.
                        await self._vault.release(lease, self._holder)
