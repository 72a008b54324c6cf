"""What others measured counts where this router knows nothing, and nowhere else."""

from __future__ import annotations

import pytest

from fairlead_router.dispatch.shared_statistics import TOPIC, SharedStatistics, filled_up
from fairlead_router.dispatch.statistics import StatisticsRegistry
from fairlead_router.select.statistics import NOTHING_KNOWN, EndpointStatistics
from fairlead_router.state.memory import MemoryStore

M, E = "team/p/m", "main"
NOW = 50.0


class Router:
    """Statistics that are shared on ``store``."""

    def __init__(self, store: MemoryStore, *seconds: float) -> None:
        self.reaches_others = True
        self.own = StatisticsRegistry()
        self.shared = SharedStatistics(
            store, self.own, available=lambda: self.reaches_others, clock=lambda: NOW, wall=lambda: NOW
        )
        for each in seconds:
            self.own.succeeded(M, E, NOW, seconds=each, first_byte=None, output_tokens=5)

    @property
    def read(self) -> EndpointStatistics:
        return self.shared.endpoint(M, E, NOW)


async def exchange(*routers: Router) -> None:
    for _ in range(2):
        for router in routers:
            await router.shared.exchange()


async def test_a_router_that_knows_nothing_takes_the_average_of_those_that_do() -> None:
    store = MemoryStore()
    slow, fast, new = Router(store, *[2.0] * 20), Router(store, *[1.0] * 20), Router(store)
    await exchange(slow, fast, new)
    assert new.read == EndpointStatistics(0, None, 1.5, 1.5, 1_000_000)
    assert new.shared.endpoint(M, "other", NOW) == NOTHING_KNOWN


async def test_what_a_router_measured_itself_it_believes_before_all_others() -> None:
    store = MemoryStore()
    other, this = Router(store, *[9.0] * 20), Router(store, 1.0)
    await exchange(other, this)
    assert this.read.total_seconds == 1.0
    assert this.read.mean_seconds == 9.0, "one call is too little for a mean"


async def test_calls_that_run_elsewhere_are_not_counted_here() -> None:
    store = MemoryStore()
    other, this = Router(store, 1.0), Router(store)
    for _ in range(5):
        other.own.begin(M, E)
    this.own.begin(M, E)
    await exchange(other, this)
    assert this.read.outstanding == 1


async def test_nothing_known_is_not_told() -> None:
    store = MemoryStore()
    router = Router(store)
    router.own.begin(M, E)
    await exchange(router)
    assert await store.shared(TOPIC, now=NOW) == {}


async def test_when_the_others_cannot_be_reached_what_they_told_is_forgotten() -> None:
    store = MemoryStore()
    other, this = Router(store, 1.0), Router(store)
    await exchange(other, this)
    assert this.read != NOTHING_KNOWN
    this.reaches_others = False
    await exchange(this)
    assert this.read == NOTHING_KNOWN


async def test_nonsense_on_the_board_stops_nobody() -> None:
    store = MemoryStore()
    await store.share(TOPIC, "a stranger", b'{"a": 1}', now=NOW, ttl_seconds=10)
    other, this = Router(store, 1.0), Router(store)
    await exchange(other, this)
    assert this.read.total_seconds == 1.0


@pytest.mark.parametrize("field", ["first_byte_seconds", "total_seconds", "mean_seconds", "success_ppm"])
def test_each_number_is_filled_up_by_itself(field: str) -> None:
    others = EndpointStatistics(7, 1.0, 2.0, 3.0, 4)
    own = EndpointStatistics(1, **{field: 9})
    filled = filled_up(own, others)
    assert filled.outstanding == 1
    for name in ("first_byte_seconds", "total_seconds", "mean_seconds", "success_ppm"):
        assert getattr(filled, name) == (9 if name == field else getattr(others, name))
