"""Many processes on one small budget: its limit holds to the micro-dollar, and nothing is lost or charged twice."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from devcluster.redis_server import RedisServer
from fairlead_router.state.redis import RedisStore
from fairlead_router.state.redis_client import RedisAccess, redis_client
from fairlead_router.state.store import Balance, Limit
from tests.router_e2e.harness import eventually

_ROOT = Path(__file__).parents[3]


async def spender(url: str, limit_micro_usd: int, seed: int) -> int:
    command = (sys.executable, "-m", "tests.router.state.spender", url, str(limit_micro_usd), str(seed))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, f"seed {seed}: {errors.decode()}"
    return int(out)


@pytest.mark.parametrize("limit_micro_usd", [50, 2000, 1_000_000])
async def test_processes_that_spend_at_once_never_exceed_the_limit(
    redis_server: RedisServer, limit_micro_usd: int
) -> None:
    seeds = [random.randrange(10**6) for _ in range(4)]
    store = RedisStore(redis_client(RedisAccess(redis_server.url)))
    charged = sum(await asyncio.gather(*(spender(redis_server.url, limit_micro_usd, seed) for seed in seeds)))

    async def all_is_settled() -> bool:
        await store.expire(now=time.time())
        return (await store.balance("tiny", now=time.time())).reserved == 0

    await eventually(all_is_settled, "what nobody settled has expired")
    assert await store.balance("tiny", now=time.time()) == Balance(charged, 0), f"seeds {seeds}"
    assert charged <= limit_micro_usd, f"seeds {seeds}"
    await store.close()


async def test_whoever_sweeps_first_charges_what_expired_and_nobody_else(redis_server: RedisServer) -> None:
    stores = [RedisStore(redis_client(RedisAccess(redis_server.url, operation_seconds=20))) for _ in range(4)]
    now, count = time.time(), 1000
    limits = (Limit("day", None, now + 3600),)
    for number in range(count):
        await stores[number % 4].reserve(f"r{number}", limits, 3, now=now, expires_at=now + 0.001)
    swept = await asyncio.gather(*(store.expire(now=now) for store in stores * 3))
    assert sum(swept) == count
    assert await stores[0].balance("day", now=now) == Balance(3 * count, 0)
    for store in stores:
        await store.close()


async def test_routers_whose_clocks_differ_by_an_hour_do_not_expire_one_another(redis_server: RedisServer) -> None:
    store = RedisStore(redis_client(RedisAccess(redis_server.url)))
    behind, ahead = time.time() - 3600, time.time() + 3600
    await store.reserve("r", (Limit("day", 100, behind + 7200),), 40, now=behind, expires_at=behind + 900)
    async with Redis.from_url(redis_server.url) as client:
        seconds, microseconds = await client.time()
        (_, deadline), *_ = await client.zrange("{fairlead}:deadlines", 0, -1, withscores=True)
    assert 800 < deadline / 1000 - (seconds + microseconds / 1e6) <= 900
    assert await store.expire(now=ahead) == 0
    assert await store.balance("day", now=ahead) == Balance(0, 40)
    await store.put("key", b"value", now=behind, ttl_seconds=60)
    assert await store.get("key", now=ahead) == b"value"
    await store.close()
