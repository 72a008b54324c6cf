"""Claims between routers: one holds, holds on, lets go, or lapses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.keyring import Keyring
from fairlead_router.cache.leases import Leases
from fairlead_router.cache.vault import Vault
from fairlead_router.state.memory import MemoryStore
from tests.router.cache.cache_parts import Clock


class Beats:
    """Sleeps that end when a test says so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await self._beat.wait()
        self._beat.clear()

    async def beat(self, seconds: float) -> None:
        """Let ``seconds`` pass, and whoever sleeps wake up."""
        self._clock.now += seconds
        self._beat.set()
        for _ in range(5):
            await asyncio.sleep(0)


def claims(store: MemoryStore, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Leases:
    return Leases(Vault(store, Keyring(b"s"), CacheCounts(), clock=clock, wall=clock, timeout_seconds=5), sleep)


async def test_only_one_router_holds_a_claim_and_another_gets_it_after_its_release() -> None:
    store, clock = MemoryStore(), Clock()
    one, other = claims(store, clock), claims(store, clock)
    assert await one.claim("n")
    assert not await other.claim("n")
    await one.release("n")
    assert await other.claim("n")
    await asyncio.gather(one.close(), other.close())


async def test_a_claim_lasts_as_long_as_its_request_and_lapses_with_its_router() -> None:
    store, clock = MemoryStore(), Clock()
    beats = Beats(clock)
    one, other = claims(store, clock, beats.sleep), claims(store, clock)
    assert await one.claim("n")
    for _ in range(20):
        await beats.beat(5)
        assert not await other.claim("n")
    await one.close()
    clock.now += 15
    assert await other.claim("n")
    await other.close()


async def test_a_router_lets_go_only_of_what_is_its_own() -> None:
    store, clock = MemoryStore(), Clock()
    one, other = claims(store, clock), claims(store, clock)
    assert await one.claim("n")
    clock.now += 15
    assert await other.claim("n")
    await one.release("n")
    assert not await one.claim("n")
    await asyncio.gather(one.close(), other.close())
