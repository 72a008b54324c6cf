"""A real Redis on a Unix socket: ``python -m bench.store [--quick] [--json FILE] [--strict]``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.report import Report, percentile
from devcluster.redis_server import RedisServer
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.sharing import BreakerSharing
from fairlead_router.select.view import BreakerState
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.redis import RedisStore
from fairlead_router.state.redis_client import RedisAccess, redis_client
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.state.store import Limit, StateStore

_SHARED_SECONDS = 1.0
_RULES = BreakerRules(consecutive_failures=1)


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    given = parser.parse_args()
    report = Report("store: Redis on a Unix socket of this machine")
    uvloop.run(_measure(report, openings=20 if given.quick else 100, requests=2_000 if given.quick else 20_000))
    return report.publish(given.json, strict=given.strict)


async def _measure(report: Report, *, openings: int, requests: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fairlead-redis-"))
    server = RedisServer(folder)
    try:
        await server.start()
        await _sharing(report, server, openings)
        await _costs(report, server, requests)
    finally:
        await server.stop()
        shutil.rmtree(folder)


class _Router:
    """Store and breakers of one router."""

    def __init__(self, server: RedisServer) -> None:
        inner = RedisStore(redis_client(RedisAccess(server.socket_url)))
        self.store = ResilientStore(inner, changed=lambda _: None)
        self.breakers = BreakerRegistry(lambda: 0.5)
        self._sharing = BreakerSharing(
            self.store, self.breakers, available=lambda: self.store.available, clock=time.monotonic, wall=time.time
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.store.start()
        self._tasks = [asyncio.create_task(self.store.keep()), asyncio.create_task(self._sharing.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()


async def _sharing(report: Report, server: RedisServer, openings: int) -> None:
    """From the failure that opens a breaker at one router until requests at the other go elsewhere."""
    one, two = _Router(server), _Router(server)
    await one.start()
    await two.start()
    seconds = []
    for number in range(openings):
        model = f"team/provider/{number}"
        await asyncio.sleep(number * 0.37 % 0.25)  # at any point between two readings
        began = time.monotonic()
        one.breakers.of(model, "main").failed(began, _RULES)
        while two.breakers.view(model, "main", time.monotonic()).state is not BreakerState.OPEN:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        seconds.append(time.monotonic() - began)
    await one.stop()
    await two.stop()
    report.add("breaker open at the other router, p50", percentile(seconds, 50), "s")
    report.add("the same, worst", max(seconds), "s", at_most=_SHARED_SECONDS, note=f"of {openings}")


async def _costs(report: Report, server: RedisServer, requests: int) -> None:
    router = _Router(server)
    await router.start()
    memory = MemoryStore()
    for name, store in (("in process", memory), ("Redis", router.store)):
        for words, ceiling in (("no ceiling", None), ("ceiling", 10**15)):
            for clients, seconds in ((1, 0.0), (32, 0.0), (32, 0.02)):
                cpu, waits = await _spend(store, ceiling, clients, requests, seconds)
                shown = f"{name}, {words}, {clients} at once of {seconds * 1000:g} ms"
                report.add(f"{shown}: CPU of a request", cpu * 1e6, "µs")
                report.add(f"{shown}: time to reserve, p50", percentile(waits, 50) * 1e6, "µs")
    await router.stop()


async def _spend(
    store: StateStore, ceiling: int | None, clients: int, requests: int, seconds: float
) -> tuple[float, list[float]]:
    """CPU seconds of reserving and settling one request, and how long each waited for its reservation.

    ``seconds``: what a request takes between the two.
    """
    waits: list[float] = []
    limits = (Limit("bench", ceiling, time.time() + 3600),)

    async def client(number: int) -> None:
        for each in range(requests // clients):
            name, now, began = f"{seconds}-{ceiling}-{number}-{each}", time.time(), time.perf_counter()
            await store.reserve(name, limits, 20, now=now, expires_at=now + 900)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(seconds)
            await store.settle(name, 10, now=now)

    before = time.process_time()
    await asyncio.gather(*(client(number) for number in range(clients)))
    # What is written behind is work too.
    while isinstance(store, ResilientStore) and store.owed_micro_usd:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return (time.process_time() - before) / requests, waits


if __name__ == "__main__":
    sys.exit(main())
