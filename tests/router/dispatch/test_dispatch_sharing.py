"""What one router learns of a provider, the others know: by way of a board, each opening once, lengthening only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from fairlead_router.dispatch.breaker import Breaker, BreakerRegistry, BreakerRules
from fairlead_router.dispatch.sharing import TOPIC, BreakerSharing, Opening
from fairlead_router.select.view import CLOSED, HALF_OPEN
from fairlead_router.state.memory import MemoryStore
from tests.router_e2e.harness import eventually

RULES = BreakerRules(consecutive_failures=1, open_seconds=10)
NO_JITTER = 0.5
HOUR = 3600.0


class FarStore(MemoryStore):
    """A store that a router reaches or not; if not, it is alone and does not fail, as with a ``ResilientStore``."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.store = store
        self.reached = True

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        if self.reached:
            await self.store.share(topic, key, value, now=now, ttl_seconds=ttl_seconds)

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        return await self.store.shared(topic, now=now) if self.reached else {}


class Router:
    """Breakers that are shared on ``store``. Its clock stands still unless the test moves it."""

    def __init__(self, store: MemoryStore) -> None:
        self.now = 100.0
        self.store = FarStore(store)
        self.breakers = BreakerRegistry(lambda: NO_JITTER)
        self.sharing = BreakerSharing(
            self.store,
            self.breakers,
            available=lambda: self.store.reached,
            clock=lambda: self.now,
            wall=lambda: HOUR,
        )

    @property
    def breaker(self) -> Breaker:
        return self.breakers.of("team/acme/small", "main")

    @property
    def open_for(self) -> float:
        return self.breaker.view(self.now).opens_again_in_seconds

    def fail(self) -> None:
        self.breaker.failed(self.now, RULES)

    async def opens(self, seconds: float) -> None:
        await eventually(lambda: abs(self.open_for - seconds) < 0.01, f"open for {seconds} s", seconds=20)

    async def looks_again(self) -> None:
        """Whether or not it sees anything."""
        for _ in range(2):
            self.sharing._news.set()
            await eventually(lambda: not self.sharing._news.is_set(), "it has looked", seconds=20)

    async def has_read(self) -> None:
        """It knows all that is on the board now: a reading that begins from here on has ended."""
        for _ in range(2):
            self.now += 0.001
            await eventually(lambda: self.sharing.lag_seconds() == 0, "it has read", seconds=20)


class Fleet:
    """Routers on one store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> Router:
        router = Router(self.store)
        self.tasks.append(asyncio.create_task(router.sharing.run()))
        return router

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def board(self) -> list[Opening]:
        values = (await self.store.shared(TOPIC, now=HOUR)).values()
        return [msgspec.json.decode(value, type=Opening) for value in values]


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    fleet = Fleet()
    yield fleet
    await fleet.stop()


async def test_a_breaker_that_opens_opens_everywhere_for_as_long(fleet: Fleet) -> None:
    one, two, three = fleet.start(), fleet.start(), fleet.start()
    one.fail()
    await two.opens(10)
    await three.opens(10)
    assert two.breakers.view("team/acme/small", "other", two.now) == CLOSED


async def test_a_pause_that_a_provider_asked_for_is_kept_by_all(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.breaker.wait(one.now, 30, RULES)
    await two.opens(30)
    two.now += 31
    two.breaker.succeeded(two.now, RULES)
    assert two.breaker.view(two.now) == CLOSED, "after a mere pause there is no ramp"


async def test_after_failures_elsewhere_a_breaker_closes_step_by_step_as_after_its_own(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.fail()
    await two.opens(10)
    two.now += 11
    two.breaker.succeeded(two.now, RULES)
    assert two.breaker.view(two.now) == HALF_OPEN
    assert two.breaker.ramp_percent == 10


@pytest.mark.parametrize(("own", "others", "longer"), [(30.0, 50.0, 50.0), (50.0, 30.0, 50.0)])
async def test_an_opening_elsewhere_lengthens_and_never_shortens(
    fleet: Fleet, own: float, others: float, longer: float
) -> None:
    one, two = fleet.start(), fleet.start()
    two.store.reached = False
    two.breaker.wait(two.now, own, RULES)
    one.breaker.wait(one.now, others, RULES)
    two.store.reached = True
    await two.has_read()
    await two.opens(longer)


async def test_an_opening_that_lasts_longer_is_told_again(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.breaker.wait(one.now, 10, RULES)
    await two.opens(10)
    one.breaker.wait(one.now, 60, RULES)
    await two.opens(60)


async def test_a_storm_of_429s_is_told_once(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    for _ in range(1000):
        one.breaker.wait(one.now, 10, RULES)
        one.now += 0.0001
    await eventually(lambda: two.open_for > 0, "open", seconds=20)
    await one.has_read()
    assert [opening.number for opening in await fleet.board()] == [1]


async def test_a_breaker_that_closed_here_does_not_open_again_for_old_news(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.breaker.wait(one.now, 10, RULES)
    await two.opens(10)
    two.now += 11
    two.breaker.succeeded(two.now, RULES)
    await two.has_read()
    assert two.breaker.view(two.now) == CLOSED
    assert len(await fleet.board()) == 1, "the news is still there"


async def test_what_others_told_is_not_told_on(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.fail()
    await two.opens(10)
    await two.has_read()
    assert len(await fleet.board()) == 1


async def test_a_router_that_starts_later_learns_of_what_is_open(fleet: Fleet) -> None:
    one = fleet.start()
    one.fail()
    await one.has_read()
    await fleet.start().opens(10)


async def test_what_could_not_be_told_is_told_later_for_what_is_left_of_it(fleet: Fleet) -> None:
    one, two = fleet.start(), fleet.start()
    one.store.reached = False
    one.fail()
    await one.looks_again()
    assert await fleet.board() == []
    one.now += 4
    one.store.reached = True
    await two.opens(6)


async def test_the_lag_is_the_age_of_the_last_reading_that_reached_the_others(fleet: Fleet) -> None:
    one = fleet.start()
    await one.has_read()
    one.store.reached = False
    one.now += 7
    await one.looks_again()
    assert one.sharing.lag_seconds() == 7
    one.store.reached = True
    await one.has_read()
    assert one.sharing.lag_seconds() == 0


async def test_nonsense_on_the_board_stops_nobody(fleet: Fleet) -> None:
    await fleet.store.share(TOPIC, "a stranger", b"{}", now=HOUR, ttl_seconds=10)
    one, two = fleet.start(), fleet.start()
    one.fail()
    await fleet.store.share(TOPIC, "a stranger", b"[1,'", now=HOUR, ttl_seconds=10)
    await two.opens(10)
