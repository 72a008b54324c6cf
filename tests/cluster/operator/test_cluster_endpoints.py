"""A provider breaks: fallbacks answer, `Degraded` says so, `Ready` does not, and requests do not set the pace of writes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from fairlead_kube.client import Json
from tests.cluster.operator.world import World, admin_of, condition, policy, provider, remote, until, version_of
from tests.router_e2e.fake_upstream import FakeUpstream, Received, Script, fake_upstream
from tests.router_e2e.scripts import answers, fails

SPARE = provider("spare")
CHAT = policy(
    "chat",
    "remote",
    fallbacks=[{"modelRef": {"providerRef": {"name": "spare"}, "model": "spare-model"}, "on": ["Error", "Timeout"]}],
)
BREAKER = {"consecutiveFailures": 3, "openSeconds": 1, "maxOpenSeconds": 2}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that answers."""
    async with fake_upstream() as made:
        made.default = answers()
        yield made


@asynccontextmanager
async def traffic(world: World) -> AsyncIterator[list[int]]:
    """Requests to every router all the time; in the list are their statuses."""
    said: list[int] = []

    async def ask() -> None:
        for router in itertools.cycle(world.installation.routers):
            said.append((await world.chat(router)).status)
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask())
    try:
        yield said
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


async def main_of(world: World, made: Json) -> dict[str, Any]:
    """What status says of the endpoint."""
    endpoints = (await world.read(made)).get("status", {}).get("endpoints") or [{}]
    return dict(endpoints[0])


async def events_about(world: World, made: Json) -> list[str]:
    found, _ = await world.kube.list_all("/apis/events.k8s.io/v1/namespaces/default/events")
    mine = [each for each in found if each["regarding"].get("name") == made["metadata"]["name"]]
    return [f"{each['type']} {each['reason']}" for each in mine]


@pytest.mark.timeout(150)
async def test_a_provider_that_breaks_is_degraded_within_seconds_and_no_more_once_it_is_mended(
    world: World, upstream: FakeUpstream
) -> None:
    made = remote("remote", upstream.url, circuitBreaker=BREAKER)
    await world.start()
    await world.apply(SPARE, made, CHAT)
    await world.shows(made, "Ready", "True")
    await world.routed_to("remote")
    async with traffic(world) as said:

        async def healthy() -> bool:
            return (await main_of(world, made)).get("state") == "Healthy"

        await until(healthy, "the endpoint being healthy")
        well = await main_of(world, made)
        assert (well["breaker"], well["scorePercent"], well["errorPercent"]) == ("Closed", 100, "0")
        assert well["latencyP50Milliseconds"] < 1000
        assert not condition(await world.read(made), "Degraded")

        upstream.default = fails(503)
        degraded = await world.shows(made, "Degraded", "True", "AllEndpointsUnhealthy", timeout=10)
        assert degraded["message"].startswith("endpoint main: its circuit breaker is open: ")
        found = await world.read(made)
        assert condition(found, "Ready")["status"] == "True"
        assert not condition(found, "Stalled")
        assert not condition(found, "Reconciling")
        assert (found["status"]["endpoints"][0]["state"], found["status"]["endpoints"][0]["breaker"]) == (
            "Unhealthy",
            "Open",
        )
        row = (await world.installation.control_plane.kubectl("get", "mprov", "remote", "-n", "default")).splitlines()
        assert dict(zip(row[0].split(), row[1].split(), strict=True))["DEGRADED"] == "AllEndpointsUnhealthy"
        await asyncio.sleep(8)  # breakers probe meanwhile, more than once
        assert version_of(await world.read(made)) == version_of(found)

        upstream.default = answers()

        async def mended() -> bool:
            return not condition(await world.read(made), "Degraded")

        await until(mended, "Degraded being gone", timeout=60)
        assert condition(await world.read(made), "Ready")["status"] == "True"
        assert (await main_of(world, made))["state"] == "Healthy"
    assert set(said) == {200}
    told = await events_about(world, made)
    assert "Warning AllEndpointsUnhealthy" in told
    assert "Normal EndpointsWell" in told


@pytest.mark.timeout(120)
async def test_steady_traffic_hardly_ever_writes_a_status(world: World, upstream: FakeUpstream) -> None:
    count = itertools.count()

    def mostly_well(_: Received) -> Script:
        return fails(503) if next(count) % 50 == 0 else answers()

    upstream.default = mostly_well
    made = remote("remote", upstream.url, circuitBreaker={"consecutiveFailures": 1000})
    await world.start()
    await world.apply(SPARE, made, CHAT)
    await world.shows(made, "Ready", "True")
    await world.routed_to("remote")
    async with traffic(world) as said:

        async def healthy() -> bool:
            return (await main_of(world, made)).get("state") == "Healthy"

        await until(healthy, "the endpoint being healthy")
        before, versions = len(said), set()
        for _ in range(50):
            versions.add(version_of(await world.read(made)))
            await asyncio.sleep(0.5)
        assert len(said) - before > 200
        assert len(versions) <= 3, "one as it began, one for numbers, and one for a run of bad luck"


@pytest.mark.timeout(120)
async def test_another_leader_goes_on_from_what_is_written_and_without_routers_nothing_is_known(
    world: World, upstream: FakeUpstream
) -> None:
    upstream.default = fails(503)
    made = remote(
        "remote", upstream.url, circuitBreaker={"consecutiveFailures": 3, "openSeconds": 600, "maxOpenSeconds": 600}
    )
    operator = await world.start()
    await world.apply(SPARE, made, CHAT)
    await world.shows(made, "Ready", "True")
    async with traffic(world):
        await world.shows(made, "Degraded", "True", "AllEndpointsUnhealthy")
    await operator.stop()
    before = await world.read(made)
    successor = await world.installation.add_operator(environment={"FAIRLEAD_RESYNC": "2"})
    await world.apply(policy("another", "spare", team="another"))
    reasons = set()

    async def asked() -> bool:
        reasons.add(condition(await world.read(made), "Degraded").get("reason"))
        with suppress(OSError):
            exposed = await world.text_of(f"{admin_of(successor)}/metrics")
            return 'fairlead_operator_health_answers_total{result="answered"} 6.0' in exposed
        return False

    await until(asked, "the new leader asking both routers three times", timeout=30)
    assert reasons == {"AllEndpointsUnhealthy"}
    assert (await world.read(made))["status"]["endpoints"] == before["status"]["endpoints"]

    for router in world.installation.routers:
        await router.process.kill()

    async def unknown() -> bool:
        return await main_of(world, made) == {"name": "main", "state": "Unknown", "breaker": "Closed"}

    await until(unknown, "nothing being known", timeout=30)
    assert not condition(await world.read(made), "Degraded")
