"""Two operators: one leads, the other takes over, and a deposed one writes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from devcluster.processes import Process
from fairlead_contract.delivery import snapshot_in
from tests.cluster.operator.world import (
    LEASE,
    SNAPSHOT,
    World,
    admin_of,
    condition,
    ended_well,
    policy,
    provider,
    until,
)

FAST, SLOW, CHAT = provider("fast"), provider("slow"), policy("chat", "fast")
_LEASE_SECONDS = "4"


async def holder(world: World) -> str:
    """Who leads, as the Lease says; empty if it was released."""
    return str((await world.kube.get(LEASE))["spec"].get("holderIdentity") or "")


async def two_operators(world: World, **environment: str) -> tuple[Process, Process]:
    """The first leads."""
    for _ in range(2):
        await world.installation.add_router()
    started = []
    for name in ("one", "other"):
        settings = {"FAIRLEAD_RESYNC": "2", "FAIRLEAD_IDENTITY": name, **environment}
        operator = await world.installation.add_operator(environment=settings)
        started.append(operator)
        await _ready(world, operator)
    await world.apply(FAST, SLOW, CHAT)
    await world.settle()
    assert await holder(world) == "one"
    return started[0], started[1]


async def _ready(world: World, operator: Process) -> None:
    async def ready() -> bool:
        try:
            return await world.text_of(f"{admin_of(operator)}/readyz") == "ok\n"
        except OSError:
            return False

    await operator.wait_until(ready, "being ready")


async def _metric(world: World, operator: Process, name: str) -> float:
    for family in text_string_to_metric_families(await world.text_of(f"{admin_of(operator)}/metrics")):
        for sample in family.samples:
            if sample.name == name:
                return sample.value
    raise AssertionError(f"no {name}")


async def _succeeded_by(world: World, name: str, timeout: float) -> float:
    async def leads() -> bool:
        return await holder(world) == name

    return await until(leads, f"{name} leading", timeout)


@asynccontextmanager
async def nothing_goes_back(world: World) -> AsyncIterator[list[tuple[int, tuple[int, int]]]]:
    """Watch the ConfigMap: its term and its version only grow, and routers follow without a failed request."""
    seen: list[tuple[int, tuple[int, int]]] = []

    async def look() -> None:
        query = {"fieldSelector": "metadata.name=fairlead-snapshot"}
        async with world.kube.watch(SNAPSHOT.rpartition("/")[0], query) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    found = event.object
                    assert event.type != "DELETED"
                    seen.append((int(found["data"]["term"]), snapshot_in(found).manifest.version))

    async def ask() -> None:
        while True:
            for router in world.installation.routers:
                assert (await world.chat(router)).status == 200
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(look()), asyncio.create_task(ask())]
    try:
        yield seen
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert seen == sorted(seen)
    assert len({version[0] for _, version in seen}) == 1, "the epoch goes on"


async def test_both_watch_one_leads_and_hands_over_at_once_when_asked_to_end(world: World) -> None:
    one, other = await two_operators(world)
    assert (
        await _metric(world, one, "fairlead_operator_leader"),
        await _metric(world, other, "fairlead_operator_leader"),
    ) == (1, 0)
    assert await _metric(world, other, "fairlead_operator_compilations_total") == 0
    assert await _metric(world, other, "fairlead_operator_watch_events_total") > 0
    async with nothing_goes_back(world):
        generation = (await world.read(CHAT))["metadata"]["generation"]
        started = time.monotonic()
        await one.stop()
        assert time.monotonic() - started < 5
        assert ended_well(one)
        await _succeeded_by(world, "other", timeout=5)
        await world.routed_to("fast", timeout=0)
        assert (await world.read(CHAT))["metadata"]["generation"] == generation
        await world.apply(policy("chat", "slow"))
        await world.shows(CHAT, "Ready", "True")
        await world.routed_to("slow", timeout=0)


@pytest.mark.timeout(120)
async def test_a_leader_that_is_killed_is_succeeded_and_the_history_goes_on(world: World) -> None:
    """With the usual fifteen seconds, and an object whose last good generation is in force."""
    one, _ = await two_operators(world)
    await world.apply(policy("chat", "slow", strategy="Pareto"))
    await world.shows(CHAT, "Accepted", "False", "NotImplemented")
    before, specs = await world.published(), [(await world.read(each))["spec"] for each in (FAST, SLOW, CHAT)]
    async with nothing_goes_back(world) as seen:
        await one.kill()
        await _succeeded_by(world, "other", timeout=20)

        async def claimed() -> bool:
            return any(term == 1 for term, _ in seen)

        await until(claimed, "the new leader's claim")
        assert await world.published() == before
        assert [(await world.read(each))["spec"] for each in (FAST, SLOW, CHAT)] == specs
        await world.routed_to("fast", timeout=0)
        found = await world.read(CHAT)
        assert condition(found, "Degraded")["reason"] == "LastGoodInForce"
        await world.shows(FAST, "Ready", "True")
        await world.apply(CHAT)
        await world.shows(CHAT, "Ready", "True")


@pytest.mark.timeout(90)
async def test_a_leader_that_wakes_after_it_was_succeeded_writes_nothing(world: World) -> None:
    one, other = await two_operators(world, FAIRLEAD_LEASE_DURATION=_LEASE_SECONDS)
    async with nothing_goes_back(world) as seen:
        # It has an edit to publish at the moment it stops.
        await world.apply(policy("chat", "slow"))
        one.pause()
        await _succeeded_by(world, "other", timeout=15)
        await world.apply(CHAT)
        await world.shows(CHAT, "Ready", "True")
        published = len(seen)
        one.resume()

        async def knows() -> bool:
            return await _metric(world, one, "fairlead_operator_leader") == 0

        await until(knows, "the deposed leader knowing")
        await world.routed_to("fast", timeout=0)
        await world.apply(policy("chat", "slow"))
        await world.shows(CHAT, "Ready", "True")
        assert {term for term, _ in seen[published:]} == {1}
        assert await holder(world) == "other"
    assert one.running
    assert other.running
