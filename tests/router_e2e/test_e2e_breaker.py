"""Circuit breakers in service: they open, others take over, a probe closes them, and nobody is refused for want of one."""

from __future__ import annotations

import asyncio

from fairlead_contract.fragments import CircuitBreaker, Retries
from tests.router_e2e.fake_upstream import CLOSE, RESET, FakeUpstream
from tests.router_e2e.harness import attempts, eventually, serving
from tests.router_e2e.scripts import fails, streams, whole_stream
from tests.router_e2e.world import endpoint, policy, provider

TOUCHY = CircuitBreaker(consecutive_failures=2, open_seconds=1)


async def test_a_breaker_opens_others_serve_and_a_probe_closes_it(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.plays(fails(500), fails(500))
    one, two = provider(upstream.url, circuit_breaker=TOUCHY), provider(other.url, "zenith")
    async with serving(one, two, policy("acme/small", "zenith/small")) as router:
        for _ in range(2):
            assert len(attempts(await router.record(await router.chat()))) == 2
        assert router.breaker("acme/small") == "Open"
        detailed = (await router.request("GET", "/health/detailed")).json
        assert detailed["checks"]["breakers"] == {"team/acme/small@main": "Open"}

        record = await router.record(await router.chat())
        assert attempts(record) == [("zenith/small", "Succeeded", None)]
        assert record["candidates"][0]["removed"]["by"] == "CircuitBreaker"
        assert record["state"][0]["key"] == "breaker:team/acme/small@main"
        for cause, count in (("Error", 2), ("Broken", 1)):
            assert await router.metric("fairlead_fallbacks_total", policy="team/route", cause=cause) == count

        await eventually(lambda: router.breaker("acme/small") == "HalfOpen", "half open")
        assert attempts(await router.record(await router.chat())) == [("acme/small", "Succeeded", None)]
        assert router.breaker("acme/small") == "HalfOpen"

        served = []
        while router.breaker("acme/small") != "Closed":
            served += attempts(await router.record(await router.chat()))
        assert {outcome for _, outcome, _ in served} == {"Succeeded"}
        by_acme = sum(name == "acme/small" for name, _, _ in served)
        assert by_acme < len(served) / 2


async def test_a_probe_that_fails_opens_it_again(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.default = fails(500)
    one, two = provider(upstream.url, circuit_breaker=TOUCHY), provider(other.url, "zenith")
    async with serving(one, two, policy("acme/small", "zenith/small")) as router:
        for _ in range(2):
            await router.chat()
        await eventually(lambda: router.breaker("acme/small") == "HalfOpen", "half open")
        assert (await router.chat()).status == 200
        assert router.breaker("acme/small") == "Open"
        assert len(upstream.received) == 3


async def test_only_one_probe_goes_out_and_the_rest_take_the_next(upstream: FakeUpstream, other: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays(fails(500), fails(500), [gate, *upstream.default])  # type: ignore[misc]
    one, two = provider(upstream.url, circuit_breaker=TOUCHY), provider(other.url, "zenith")
    async with serving(one, two, policy("acme/small", "zenith/small")) as router:
        for _ in range(2):
            await router.chat()
        await eventually(lambda: router.breaker("acme/small") == "HalfOpen", "half open")
        probe = asyncio.create_task(router.chat())
        await upstream.arrived(3)
        for reply in await asyncio.gather(*(router.chat() for _ in range(10))):
            assert attempts(await router.record(reply)) == [("zenith/small", "Succeeded", None)]
        gate.set()
        assert attempts(await router.record(await probe)) == [("acme/small", "Succeeded", None)]


async def test_when_every_breaker_is_open_the_least_bad_is_tried(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.plays(fails(500), fails(500))
    other.plays(fails(500), fails(500))
    rules = CircuitBreaker(consecutive_failures=2, open_seconds=60)
    later = CircuitBreaker(consecutive_failures=2, open_seconds=100)
    one, two = provider(upstream.url, circuit_breaker=rules), provider(other.url, "zenith", circuit_breaker=later)
    async with serving(one, two, policy("zenith/small", "acme/small")) as router:
        for _ in range(2):
            assert (await router.chat()).status == 502
        assert {router.breaker("acme/small"), router.breaker("zenith/small")} == {"Open"}
        replies = await asyncio.gather(*(router.chat() for _ in range(20)))
        for reply in replies:
            record = await router.record(reply)
            assert attempts(record) == [("acme/small", "Succeeded", None)]
            assert record["panic"] is True


async def test_with_one_endpoint_broken_the_other_serves(upstream: FakeUpstream, other: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [RESET]
    places = [endpoint(upstream.url, "a"), endpoint(other.url, "b")]
    chosen = policy("acme/small", retries=Retries(attempts=1))
    async with serving(provider(places, circuit_breaker=TOUCHY), chosen) as router:
        for _ in range(20):
            assert (await router.chat()).status == 200
        assert (router.breaker("acme/small", "a"), len(upstream.received)) == ("Open", 2)

        # Half open, with its one probe out: the healthy endpoint still serves everybody else.
        await eventually(lambda: router.breaker("acme/small", "a") == "HalfOpen", "half open")
        upstream.default = [gate, *other.default]  # type: ignore[misc]
        asked = [asyncio.create_task(router.chat()) for _ in range(20)]
        await upstream.arrived(3)
        await eventually(lambda: sum(task.done() for task in asked) == 19, "all but the probe are served")
        gate.set()
        assert {(await task).status for task in asked} == {200}
        assert len(upstream.received) == 3


async def test_streams_that_are_cut_count_as_failures(upstream: FakeUpstream) -> None:
    upstream.default = [*streams(*whole_stream()[:2], ends=False), CLOSE]
    async with serving(
        provider(upstream.url, circuit_breaker=CircuitBreaker(consecutive_failures=2)), policy("acme/small")
    ) as router:
        for _ in range(2):
            assert (await router.record(await router.chat(stream=True)))["outcome"] == "Truncated"
        await eventually(lambda: router.breaker("acme/small") == "Open", "open")


async def test_breakers_outlive_a_change_of_configuration(upstream: FakeUpstream) -> None:
    upstream.default = fails(500)
    broken = provider(upstream.url, circuit_breaker=CircuitBreaker(consecutive_failures=1, open_seconds=60))
    async with serving(broken, policy("acme/small")) as router:
        await router.chat()
        await router.load(broken, policy("acme/small", priority=7))
        assert router.breaker("acme/small") == "Open"
