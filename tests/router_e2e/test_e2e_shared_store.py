"""Routers that share a Redis: what one learns the others know, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from redis.asyncio import Redis

from devcluster.redis_server import RedisServer, Sentinel
from fairlead_contract.fragments import Affinity, CircuitBreaker
from fairlead_router.settings import SettingError
from tests.redis_fixtures import short_folder
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, eventually, serving
from tests.router_e2e.scripts import fails
from tests.router_e2e.world import policy, provider

COST = 20
"""Micro-dollars of each answer: ten tokens in, five out."""

TOUCHY = CircuitBreaker(consecutive_failures=2, open_seconds=60)


async def spent(server: RedisServer) -> tuple[int, int]:
    """Micro-dollars spent and reserved on all accounts together."""
    async with Redis(port=server.port, decode_responses=True) as client:
        keys = await client.keys("{fairlead}:account:*")
        accounts = [await client.hgetall(key) for key in keys]
    return (
        sum(int(account.get("spent", 0)) for account in accounts),
        sum(int(account.get("reserved", 0)) for account in accounts),
    )


async def settles_at(server: RedisServer, micro_usd: int) -> None:
    async def is_there() -> bool:
        return await spent(server) == (micro_usd, 0)

    await eventually(is_there, f"{micro_usd} spent, nothing reserved", seconds=20)


async def degraded(router: Harness) -> str | None:
    reply = await router.request("GET", "/health/detailed")
    named: str | None = reply.json["degraded"].get("store")
    return named


async def is_degraded(router: Harness, name: str | None, seconds: float = 20) -> None:
    async def is_so() -> bool:
        text = await degraded(router)
        return text is None if name is None else text is not None and text.startswith(f"{name}: ")

    await eventually(is_so, f"the store is {name or 'there'}", seconds)


async def ask(router: Harness, count: int) -> None:
    """That many requests, all of which must be served."""
    replies = await asyncio.gather(*(router.chat() for _ in range(count)))
    assert [reply.status for reply in replies] == [200] * count


# ------------------------------------------------------------------------------------------------ sharing


async def test_a_breaker_that_opened_at_one_router_is_open_at_the_other_soon_after(
    redis_server: RedisServer, upstream: FakeUpstream
) -> None:
    upstream.plays(fails(500), fails(500))
    world = (provider(upstream.url, circuit_breaker=TOUCHY), policy("acme/small"))
    async with (
        serving(*world, redis_url=redis_server.url) as one,
        serving(*world, redis_url=redis_server.socket_url) as two,
    ):
        for _ in range(2):
            assert two.breaker("acme/small") == "Closed"
            assert (await one.chat()).status >= 500
        assert one.breaker("acme/small") == "Open"
        # Measured in bench/store.py; here a machine under load has its time.
        await eventually(lambda: two.breaker("acme/small") == "Open", "open at the other", seconds=5)
        assert await two.metric("fairlead_breaker_sharing_lag_seconds") < 5


async def test_a_session_stays_on_the_model_that_served_it_whichever_router_it_comes_to(
    redis_server: RedisServer, upstream: FakeUpstream
) -> None:
    upstream.plays(fails(500))
    world = (
        provider(upstream.url, models=["a", "b"]),
        policy("acme/a", "acme/b", affinity=Affinity(unit="Session")),
    )
    async with (
        serving(*world, redis_url=redis_server.url) as one,
        serving(*world, redis_url=redis_server.url) as two,
    ):
        assert (await two.record(await two.chat(headers={"x-fairlead-session": "other"})))["chosen"] == "team/acme/b"
        assert (await one.record(await one.chat(headers={"x-fairlead-session": "other"})))["chosen"] == "team/acme/b"
        assert (await one.record(await one.chat(headers={"x-fairlead-session": "new"})))["chosen"] == "team/acme/a"


async def test_money_of_all_routers_is_on_one_account(redis_server: RedisServer, upstream: FakeUpstream) -> None:
    world = (provider(upstream.url), policy("acme/small"))
    async with (
        serving(*world, redis_url=redis_server.url) as one,
        serving(*world, redis_url=redis_server.url) as two,
    ):
        await asyncio.gather(ask(one, 10), ask(two, 10))
        await settles_at(redis_server, 20 * COST)


# ------------------------------------------------------------------------------------------------ Redis goes away


@pytest.mark.parametrize("how", ["stops", "hangs"])
async def test_a_redis_that_goes_away_while_serving_costs_no_request_and_no_money(
    own_redis: RedisServer, upstream: FakeUpstream, how: str
) -> None:
    world = (provider(upstream.url), policy("acme/small", affinity=Affinity(unit="Session")))
    async with serving(*world, redis_url=own_redis.url) as router:
        await ask(router, 5)
        await settles_at(own_redis, 5 * COST)
        kept = 0
        if how == "stops":
            await own_redis.stop()
        else:
            own_redis.process.pause()
            kept = 5 * COST
        await ask(router, 5)
        await is_degraded(router, "StoreUnavailable")
        assert await router.metric("fairlead_store_available") == 0
        assert (await router.request("GET", "/health/ready")).status == 200
        await ask(router, 5)
        assert await router.metric("fairlead_store_owed_usd") == pytest.approx(10 * COST / 1e6)
        if how == "stops":
            await own_redis.start()
        else:
            own_redis.process.resume()
        await is_degraded(router, None)
        await ask(router, 5)
        await settles_at(own_redis, kept + 15 * COST)
        assert await router.metric("fairlead_store_available") == 1
        assert await router.metric("fairlead_store_owed_usd") == 0


async def test_requests_under_way_when_redis_restarts_are_charged_once(
    own_redis: RedisServer, upstream: FakeUpstream
) -> None:
    gate = asyncio.Event()
    upstream.plays(*([gate, *upstream.default] for _ in range(5)))  # type: ignore[list-item]
    async with serving(provider(upstream.url), policy("acme/small"), redis_url=own_redis.url) as router:
        under_way = asyncio.create_task(ask(router, 5))
        await upstream.arrived(5)

        async def is_reserved() -> bool:
            return (await spent(own_redis))[1] > 0

        await eventually(is_reserved, "money is set aside", seconds=20)
        await own_redis.process.kill()
        await own_redis.start()
        gate.set()
        await under_way
        await is_degraded(router, None)
        await settles_at(own_redis, 5 * COST)


async def test_a_master_that_dies_is_replaced_by_sentinel_and_routers_follow(upstream: FakeUpstream) -> None:
    folder = short_folder()
    master = RedisServer(folder / "a")
    replica = RedisServer(folder / "b", replica_of=master)
    await master.start()
    await replica.start()
    await replica.is_in_sync()
    sentinel = Sentinel(folder / "s", "main", master)
    await sentinel.start()
    try:
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/main/0"  # one Sentinel is away
        world = (provider(upstream.url), policy("acme/small"))
        async with (
            serving(*world, redis_url=url) as one,
            serving(*world, redis_url=url) as two,
        ):
            await asyncio.gather(ask(one, 5), ask(two, 5))
            await settles_at(replica, 10 * COST)
            await sentinel.knows_a_replica()
            await master.process.kill()
            await asyncio.gather(ask(one, 5), ask(two, 5))
            await is_degraded(one, None, seconds=40)
            await is_degraded(two, None, seconds=40)
            await asyncio.gather(ask(one, 5), ask(two, 5))
            await settles_at(replica, 30 * COST)
    finally:
        await sentinel.stop()
        await replica.stop()
        await master.stop()
        shutil.rmtree(folder)


# ------------------------------------------------------------------------------------------------ starting


async def test_without_redis_a_router_starts_degraded_and_recovers(
    own_redis: RedisServer, upstream: FakeUpstream
) -> None:
    await own_redis.stop()
    async with serving(provider(upstream.url), policy("acme/small"), redis_url=own_redis.url) as router:
        await is_degraded(router, "StoreUnavailable")
        await ask(router, 3)
        await own_redis.start()
        await is_degraded(router, None)
        await settles_at(own_redis, 3 * COST)


async def test_a_store_that_is_required_and_away_refuses_the_start_and_says_what_to_do(own_redis: RedisServer) -> None:
    await own_redis.stop()
    url = f"redis://ann:canary@127.0.0.1:{own_redis.port}/0"
    with pytest.raises(SettingError) as raised:
        async with serving(redis_url=url, store_required=True):
            raise AssertionError("it started")
    message = str(raised.value)
    assert f"redis://127.0.0.1:{own_redis.port}/0 does not answer" in message
    assert "FAIRLEAD_STORE_REQUIRED=false" in message
    assert "canary" not in message


async def test_a_url_that_names_no_redis_refuses_the_start() -> None:
    with pytest.raises(SettingError, match="FAIRLEAD_REDIS_URL takes redis://HOST"):
        async with serving(redis_url="http://canary@redis"):
            raise AssertionError("it started")


async def test_several_replicas_without_a_store_that_they_share_refuse_to_start() -> None:
    with pytest.raises(SettingError, match=r"FAIRLEAD_REPLICAS=3 .* set FAIRLEAD_REDIS_URL"):
        async with serving(replicas=3):
            raise AssertionError("it started")


async def test_several_replicas_may_be_told_to_run_without_and_say_so(upstream: FakeUpstream) -> None:
    world = (provider(upstream.url), policy("acme/small"))
    async with serving(*world, replicas=3, allow_unshared_store=True) as router:
        await is_degraded(router, "StoreNotShared")
        await ask(router, 1)


async def test_a_password_of_redis_is_seen_in_no_answer_and_no_log(
    own_redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    file = tmp_path / "password"
    file.write_text("canary-file\n")
    url = f"redis://canary-user:canary-url@127.0.0.1:{own_redis.port}/0"  # it has no such user
    async with serving(redis_url=url, redis_password_file=file) as router:
        await is_degraded(router, "StoreUnavailable")
        pages = [await router.request("GET", "/health/detailed")]
        pages += [await router.request("GET", path, admin=True) for path in ("/-/config", "/metrics")]
    assert b"canary" not in b"".join(page.body for page in pages)
    assert "canary" not in caplog.text
