"""Edits on a real API server, and the requests after them: ``python -m bench.propagation [--edits N] [--quick]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import aiohttp
import uvloop

from bench.propagation.cluster import Cluster, running_cluster
from bench.propagation.lanes import HEADER, Edit, Lanes
from bench.report import Report, percentile

_BODY = json.dumps({"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "Which way?"}]})
_LANES = 20
_POLL_SECONDS = 0.002
_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.4
"""Edits come at any moment of whatever beats inside, up to so long after the one before is programmed."""


@dataclass(slots=True)
class Found:
    """Milliseconds from the sending of each PATCH, and how requests went."""

    first: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    programmed: list[float] = field(default_factory=list)
    requests: int = 0
    failed: int = 0


async def measure(edits: int, rate: float, seed: int) -> Found:
    """``rate`` is that of the requests to each router beside those that look for the new rule."""
    draw = random.Random(seed)
    lanes, found = Lanes(_LANES, draw), Found()
    with tempfile.TemporaryDirectory() as place:
        async with running_cluster(Path(place)) as cluster, aiohttp.ClientSession() as http:
            await cluster.create(lanes.objects())
            await cluster.installation.add_operator()
            await cluster.installation.wait_until_converged()
            routers = [router.url for router in cluster.installation.routers]
            async with asyncio.TaskGroup() as group:
                load = [group.create_task(_load(http, router, rate, found, random.Random(seed))) for router in routers]
                for _ in range(edits):
                    await _one(cluster, http, routers, lanes.edit(), found)
                    await asyncio.sleep(draw.uniform(0, _PAUSE_SECONDS))
                for task in load:
                    task.cancel()
    return found


async def _one(cluster: Cluster, http: aiohttp.ClientSession, routers: Sequence[str], edit: Edit, found: Found) -> None:
    sent = perf_counter()
    async with asyncio.TaskGroup() as group:
        obeyed = [group.create_task(_until_obeyed(http, router, edit, found)) for router in routers]
        generation = await cluster.edit("RoutingPolicy", "default", edit.policy, edit.patch)
        programmed = await cluster.statuses.when_programmed("RoutingPolicy", "default", edit.policy, generation)
    moments = [task.result() for task in obeyed]
    found.first.append((min(moments) - sent) * 1000)
    found.every.append((max(moments) - sent) * 1000)
    found.programmed.append((programmed - sent) * 1000)


async def _until_obeyed(http: aiohttp.ClientSession, router: str, edit: Edit, found: Found) -> float:
    deadline = perf_counter() + _PATIENCE_SECONDS
    while perf_counter() < deadline:
        if await _ask(http, router, edit.lane, found) == edit.wanted:
            return perf_counter()
        await asyncio.sleep(_POLL_SECONDS)
    raise RuntimeError(f"{router} did not obey an edit of {edit.policy} within {_PATIENCE_SECONDS:.0f} s: {edit.patch}")


async def _load(http: aiohttp.ClientSession, router: str, rate: float, found: Found, draw: random.Random) -> None:
    """Requests at random moments, ``rate`` a second in the mean, whether or not those before were answered."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_ask(http, router, draw.randrange(_LANES), found))
            await asyncio.sleep(draw.expovariate(rate))


async def _ask(http: aiohttp.ClientSession, router: str, lane: int, found: Found) -> str | None:
    """The model that answers; ``None``, and counted, if none does."""
    found.requests += 1
    headers = {"Content-Type": "application/json", HEADER: str(lane)}
    try:
        async with http.post(f"{router}/v1/chat/completions", data=_BODY, headers=headers) as answer:
            body = await answer.read()
            if answer.status == 200:
                return str(json.loads(body)["model"])
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    found.failed += 1
    return None


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50, help="requests a second to each router meanwhile")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="30 edits")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    edits = 30 if options.quick else options.edits
    found = uvloop.run(measure(edits, options.rate, options.seed))
    report = Report(f"From a PATCH to the first request that obeys it, {edits} edits, seed {options.seed}")
    for name, values in (("first router", found.first), ("all routers", found.every)):
        report.add(f"{name}, p50", percentile(values, 50), "ms", at_most=300)
        report.add(f"{name}, p90", percentile(values, 90), "ms")
        report.add(f"{name}, p99", percentile(values, 99), "ms", at_most=1000)
        report.add(f"{name}, max", max(values), "ms")
    for percent in (50, 90, 99):
        report.add(f"Programmed in the status, p{percent}", percentile(found.programmed, percent), "ms")
    report.add("Programmed in the status, max", max(found.programmed), "ms")
    report.add("failed requests", found.failed, at_most=0, note=f"of {found.requests:,}")
    return report.publish(options.json, strict=options.strict)


if __name__ == "__main__":
    raise SystemExit(main())
