"""Active health checks: what makes an endpoint unhealthy, and whose checks run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from fairlead_contract.fragments import Endpoint, HealthCheck
from fairlead_router.config.table import Table
from fairlead_router.dispatch.health import HealthRegistry
from fairlead_router.dispatch.health_checks import HealthChecks
from fairlead_router.dispatch.transport.base import Answer, CallFailed, CallTimedOut
from tests.router.builders import a_provider, a_table

P, E = "team-a/openai", "primary"


@pytest.mark.parametrize(
    ("checks", "healthy"),
    [
        ("", True),
        ("x", True),
        ("xx", True),
        ("xxx", False),
        ("xx.xx", True),
        ("xxx.", False),
        ("xxx..", True),
        ("xxx.x.", False),
        ("xxx..xx", True),
    ],
)
def test_so_many_failures_in_a_row_make_it_unhealthy_and_so_many_successes_healthy_again(
    checks: str, healthy: bool
) -> None:
    registry, check = HealthRegistry(), HealthCheck(failure_threshold=3, success_threshold=2)
    changes = sum(registry.report(P, E, "status 503" if each == "x" else None, check) for each in checks)
    assert registry.healthy(P, E) is healthy
    assert (changes % 2 == 0) is healthy
    assert registry.healthy(P, "another")
    found = registry.found(P, E)
    assert (found is None) is (not checks)
    registry.forget(P, E)
    assert registry.healthy(P, E)


class Played:
    """An answer with a status."""

    is_event_stream = False

    def __init__(self, status: int) -> None:
        self.status = status
        self.closed = False

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        return b"{}"

    async def read_chunk(self) -> bytes:
        return b""

    def close(self) -> None:
        self.closed = True


class Network:
    """A transport that answers as it is told."""

    def __init__(self) -> None:
        self.says: int | Exception | None = 200
        self.asked: list[tuple[str, str, CIMultiDict[str]]] = []
        self.answers: list[Played] = []
        self.first_asked = asyncio.Event()

    async def request(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes,
        *,
        connect_seconds: float,
        extra: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        self.asked.append((method, str(url), headers))
        self.first_asked.set()
        if self.says is None:
            await asyncio.Event().wait()
        if isinstance(self.says, Exception):
            raise self.says
        assert isinstance(self.says, int)
        self.answers.append(Played(self.says))
        return self.answers[-1]

    async def close(self) -> None:
        """Nothing is held."""


class Turns:
    """A clock that a test moves: whoever sleeps waits for the next turn."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._next = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self._next.wait()

    async def turn(self) -> None:
        reached = self._next
        self._next = asyncio.Event()
        reached.set()
        for _ in range(20):
            await asyncio.sleep(0)


def checked(**endpoints: HealthCheck | None) -> Table:
    places = tuple(Endpoint(name, f"https://{name}.example/v1", health_check=each) for name, each in endpoints.items())
    return a_table(a_provider(endpoints=places))


@asynccontextmanager
async def checking(table: Table) -> AsyncIterator[tuple[HealthChecks, HealthRegistry, Network, Turns]]:
    network, turns, health = Network(), Turns(), HealthRegistry()
    checks = HealthChecks(network, health, draw=lambda: 0.5, sleep=turns.sleep)
    await checks.follow(table)
    await asyncio.sleep(0)
    try:
        yield checks, health, network, turns
    finally:
        await checks.follow(a_table())
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_it_asks_below_the_endpoints_address_with_its_credential_and_in_its_period() -> None:
    async with checking(checked(a=HealthCheck("/ready", 20), b=None)) as (_, _, network, turns):
        assert (network.asked, turns.slept) == ([], [10.0])
        await turns.turn()
        ((method, url, headers),) = network.asked
        assert (method, url) == ("GET", "https://a.example/v1/ready")
        assert "Content-Type" in headers
        assert turns.slept == [10.0, 20.0]
        assert network.answers[0].closed


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (200, None),
        (204, None),
        (302, "status 302"),
        (401, "status 401"),
        (503, "status 503"),
        (CallFailed("connect_failed", connected=False), "connect_failed"),
        (CallFailed("address_refused", connected=False), "address_refused"),
        (CallTimedOut(), "timeout"),
        (TimeoutError(), "timeout"),
    ],
)
async def test_only_success_is_success(says: Any, error: str | None) -> None:
    async with checking(checked(a=HealthCheck(failure_threshold=1))) as (_, health, network, turns):
        network.says = says
        await turns.turn()
        found = health.found(P, "a")
        assert found is not None
        assert found.error == error
        assert health.healthy(P, "a") is (error is None)


async def test_an_error_of_ours_does_not_end_the_checks() -> None:
    async with checking(checked(a=HealthCheck())) as (_, health, network, turns):
        network.says = ZeroDivisionError()
        await turns.turn()
        network.says = 200
        await turns.turn()
        assert len(network.asked) == 2
        assert health.found(P, "a") is not None


async def test_checks_follow_the_table() -> None:
    once = HealthCheck(failure_threshold=1)
    table = checked(a=once, b=once)
    async with checking(table) as (checks, health, network, turns):
        network.says = 500
        await turns.turn()
        assert (health.healthy(P, "a"), health.healthy(P, "b")) == (False, False)

        await checks.follow(table)
        assert not health.healthy(P, "a")

        await checks.follow(checked(a=once, b=None, c=once))
        assert (health.healthy(P, "a"), health.healthy(P, "b")) == (False, True)
        network.asked.clear()
        await asyncio.sleep(0)
        await turns.turn()
        assert sorted(url for _, url, _ in network.asked) == [
            "https://a.example/v1/models",
            "https://c.example/v1/models",
        ]

        await checks.follow(checked(a=HealthCheck("/other", failure_threshold=1)))
        assert health.healthy(P, "a")


async def test_a_provider_that_is_edited_often_is_checked_in_its_period_all_the_same() -> None:
    def edited() -> Table:
        return checked(a=HealthCheck())

    async with checking(edited()) as (checks, _, network, turns):
        for _ in range(3):
            await turns.turn()
            await checks.follow(edited())
            await asyncio.sleep(0)
        assert len(network.asked) == 3
        assert turns.slept[1:] == [15.0] * 3


async def test_when_the_router_stops_no_check_runs_on() -> None:
    network, health, table = Network(), HealthRegistry(), checked(a=HealthCheck(period_seconds=1))
    network.says = None

    async def soon(seconds: float) -> None:
        await asyncio.sleep(0)

    checks = HealthChecks(network, health, draw=lambda: 0.0, sleep=soon)
    running = asyncio.create_task(checks.run(lambda: table))
    await network.first_asked.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
