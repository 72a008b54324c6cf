"""A store that goes away and comes back: nobody waits for it, nothing is lost, nothing is charged twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from devcluster.redis_server import RedisServer
from fairlead_router.state.redis import RedisStore
from fairlead_router.state.redis_client import RedisAccess, redis_client
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.state.store import Balance, Granted, Limit, Refused, StoreUnavailable
from tests.router_e2e.harness import eventually


def day(limit: int | None = None) -> Limit:
    return Limit("day", limit, time.time() + 86_400)


@dataclass
class Scene:
    """A resilient store before a Redis, and the same Redis seen by somebody else."""

    store: ResilientStore
    beside: RedisStore
    told: list[str | None] = field(default_factory=list)

    async def reserve(self, name: str, micro_usd: int, limit: int | None = None) -> Granted | Refused:
        now = time.time()
        return await self.store.reserve(name, (day(limit),), micro_usd, now=now, expires_at=now + 900)

    async def settle(self, name: str, micro_usd: int) -> bool:
        return await self.store.settle(name, micro_usd, now=time.time())

    async def spend(self, name: str, micro_usd: int, limit: int | None = None) -> None:
        assert await self.reserve(name, 2 * micro_usd, limit) == Granted(name)
        assert await self.settle(name, micro_usd) is True

    async def balance(self) -> Balance:
        return await self.beside.balance("day", now=time.time())

    async def comes_to(self, spent: int, reserved: int = 0) -> None:
        async def is_there() -> bool:
            try:
                return await self.balance() == Balance(spent, reserved)
            except StoreUnavailable:
                return False

        await eventually(is_there, f"{spent} spent and {reserved} reserved in Redis", seconds=20)

    async def is_away(self) -> None:
        await self.store.get("anything", now=0)
        await eventually(lambda: not self.store.available, "the store is away")

    async def is_back(self) -> None:
        await eventually(lambda: self.store.available, "the store is back", seconds=20)
        await eventually(lambda: self.store.owed_micro_usd == 0, "nothing is owed", seconds=20)


def client_of(server: RedisServer) -> RedisStore:
    return RedisStore(redis_client(RedisAccess(server.url)))


@asynccontextmanager
async def scene_on(server: RedisServer, *, started: bool = True) -> AsyncIterator[Scene]:
    told: list[str | None] = []
    store = ResilientStore(client_of(server), changed=told.append, operation_seconds=0.5, probe_seconds=0.05)
    scene = Scene(store, client_of(server), told)
    if started:
        await store.start()
    keeping = asyncio.create_task(store.keep())
    try:
        yield scene
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await store.close()
        await scene.beside.close()


@pytest.fixture
async def scene(redis_server: RedisServer) -> AsyncIterator[Scene]:
    async with scene_on(redis_server) as scene:
        yield scene


# ------------------------------------------------------------------------------------------------ while it is there


async def test_what_is_set_aside_without_a_ceiling_is_in_the_store_soon_after(scene: Scene) -> None:
    assert await scene.reserve("r", 40) == Granted("r")
    await scene.comes_to(0, 40)
    await scene.settle("r", 30)
    await scene.comes_to(30)


async def test_a_request_that_topped_up_is_charged_what_it_cost(scene: Scene) -> None:
    await scene.reserve("r", 40)
    await scene.comes_to(0, 40)
    await scene.reserve("r", 60)
    await scene.comes_to(0, 100)
    await scene.settle("r", 70)
    await scene.comes_to(70)


async def test_many_short_requests_add_up_to_the_micro_dollar(scene: Scene) -> None:
    for number in range(500):
        await scene.spend(f"r{number}", number)
        if number % 100 == 0:
            await asyncio.sleep(0)
    await scene.comes_to(sum(range(500)))
    assert scene.store.owed_micro_usd == 0


async def test_a_ceiling_is_kept_by_the_store_and_refusals_leave_nothing_behind(scene: Scene) -> None:
    assert await scene.reserve("a", 90, limit=100) == Granted("a")
    refused = await scene.reserve("b", 11, limit=100)
    assert isinstance(refused, Refused)
    assert refused.balance == Balance(0, 90)
    await scene.settle("b", 0)
    await scene.settle("a", 50)
    await scene.comes_to(50)
    assert await scene.beside._client.keys("*charged*") == []


async def test_stopping_writes_what_is_owed(redis_server: RedisServer) -> None:
    async with scene_on(redis_server) as scene:
        await scene.spend("r", 30)
    beside = client_of(redis_server)
    assert await beside.balance("day", now=time.time()) == Balance(30, 0)
    await beside.close()


# ------------------------------------------------------------------------------------------------ while it is away


@pytest.mark.parametrize("limit", [None, 1000])
async def test_money_spent_while_the_store_is_away_is_charged_once_when_it_is_back(
    own_redis: RedisServer, limit: int | None
) -> None:
    async with scene_on(own_redis) as scene:
        await scene.spend("before", 1, limit)
        await scene.comes_to(1)
        await own_redis.stop()
        await scene.is_away()
        for number in range(10):
            await scene.spend(f"away{number}", 10, limit)
        assert scene.store.owed_micro_usd == 100
        assert scene.told[-1] is not None
        await own_redis.start()
        await scene.is_back()
        assert scene.told[-1] is None
        await scene.comes_to(100)  # "before" went with the data of the old one
        await scene.spend("after", 5, limit)
        await scene.comes_to(105)


@pytest.mark.parametrize("limit", [None, 1000])
async def test_a_request_that_runs_while_the_store_loses_everything_is_still_charged_once(
    own_redis: RedisServer, limit: int | None
) -> None:
    async with scene_on(own_redis) as scene:
        await scene.reserve("running", 40, limit)
        await scene.comes_to(0, 40)
        await own_redis.process.kill()
        await own_redis.start()
        await scene.is_back()
        await scene.settle("running", 30)
        await scene.comes_to(30)
        assert await scene.beside.expire(now=time.time()) == 0


@pytest.mark.parametrize("limit", [None, 1000])
async def test_a_call_whose_answer_was_lost_is_charged_once(own_redis: RedisServer, limit: int | None) -> None:
    """A paused Redis takes commands in and carries them out when it goes on: the caller has long given up by then."""
    async with scene_on(own_redis) as scene:
        # From now on Redis knows the scripts, and carries out at once what it is sent.
        await scene.spend("first", 1, limit)
        await scene.comes_to(1)
        await scene.reserve("sure", 40, limit)
        await scene.comes_to(1, 40)
        own_redis.process.pause()
        await scene.settle("sure", 30)
        await scene.reserve("unsure", 40, limit)
        await eventually(lambda: not scene.store.available, "the store is away")
        await scene.reserve("alone", 40, limit)
        await scene.settle("unsure", 20)
        await scene.settle("alone", 10)
        own_redis.process.resume()
        await scene.is_back()
        await scene.comes_to(61)
        assert await scene.beside.expire(now=time.time()) == 0


async def test_a_request_that_spans_an_outage_is_charged_once_whatever_it_did_when(own_redis: RedisServer) -> None:
    async with scene_on(own_redis) as scene:
        await scene.reserve("early", 40, 1000)
        own_redis.process.pause()
        await scene.is_away()
        await scene.reserve("early", 10, 1000)
        await scene.reserve("late", 40, 1000)
        own_redis.process.resume()
        await eventually(lambda: scene.store.available, "the store is back")
        await scene.reserve("late", 10, 1000)
        await scene.settle("early", 45)
        await scene.settle("late", 35)
        await scene.comes_to(80)


async def test_what_expired_while_the_store_was_out_of_reach_is_not_charged_again(own_redis: RedisServer) -> None:
    async with scene_on(own_redis) as scene:
        now = time.time()
        await scene.store.reserve("r", (day(1000),), 40, now=now, expires_at=now + 0.01)
        own_redis.process.pause()
        await scene.settle("r", 30)
        await scene.is_away()
        own_redis.process.resume()
        # Whoever is first: settled for 30, or expired for 40; never both.
        await scene.beside.expire(now=time.time())
        await scene.is_back()
        balance = await scene.balance()
        assert balance in (Balance(30, 0), Balance(40, 0))


async def test_while_the_store_is_away_each_router_keeps_the_ceiling_by_itself(own_redis: RedisServer) -> None:
    async with scene_on(own_redis) as scene:
        await own_redis.stop()
        await scene.is_away()
        assert await scene.reserve("a", 90, limit=100) == Granted("a")
        assert isinstance(await scene.reserve("b", 11, limit=100), Refused)


async def test_while_the_store_is_away_values_are_kept_by_the_router_and_forgotten_afterwards(
    own_redis: RedisServer,
) -> None:
    async with scene_on(own_redis) as scene:
        store, now = scene.store, time.time()
        await store.put("shared", b"1", now=now, ttl_seconds=100)
        own_redis.process.pause()
        await scene.is_away()
        assert await store.get("shared", now=now) is None
        assert await store.put_if_absent("own", b"2", now=now, ttl_seconds=100) is True
        assert await store.put_if_absent("own", b"3", now=now, ttl_seconds=100) is False
        assert await store.get("own", now=now) == b"2"
        assert await store.delete("own", now=now) is True
        await store.share("topic", "own", b"4", now=now, ttl_seconds=100)
        assert await store.shared("topic", now=now) == {"own": b"4"}
        own_redis.process.resume()
        await scene.is_back()
        assert await store.get("shared", now=now) == b"1"
        assert await store.shared("topic", now=now) == {}


async def test_nobody_waits_for_a_store_that_is_known_to_be_away(own_redis: RedisServer) -> None:
    async with scene_on(own_redis) as scene:
        own_redis.process.pause()
        await scene.is_away()
        async with asyncio.timeout(5):  # asked one by one, each at 0.5 s, it would take a minute and more
            for number in range(200):
                await scene.spend(f"r{number}", 1, 1000)
                await scene.store.get("key", now=0)
        own_redis.process.resume()
        await scene.is_back()
        await scene.comes_to(200)


async def test_a_store_that_was_never_there_is_found_when_it_comes(own_redis: RedisServer) -> None:
    await own_redis.stop()
    async with scene_on(own_redis, started=False) as scene:
        with pytest.raises(StoreUnavailable, match="connecting to 127"):
            await scene.store.start()
        await scene.spend("r", 30)
        assert not scene.store.available
        await own_redis.start()
        await scene.is_back()
        await scene.comes_to(30)


async def test_a_hung_connection_costs_a_request_no_more_than_the_operation_timeout(own_redis: RedisServer) -> None:
    async with scene_on(own_redis) as scene:
        own_redis.process.pause()
        async with asyncio.timeout(5):
            assert await scene.reserve("r", 10, 1000) == Granted("r")
        assert not scene.store.available
        own_redis.process.resume()
