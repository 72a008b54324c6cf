"""Edits without end, and memory: ``python -m bench.soak [--writes N]``. 20,000 writes take some minutes."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import aiohttp
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from bench.propagation.cluster import Cluster, running_cluster, status_value
from bench.propagation.lanes import Lanes
from bench.report import Report
from bench.soak.slope import slope_of
from devcluster.installation import free_port

_POLICIES = 40
_EDITORS = 8
_SAMPLE_SECONDS = 1.0
_WARM_UP = 0.5
"""Share of the writes that is not looked at: the operator remembers up to 4,096 Events, and the allocator finds its size."""
_UNIT = 10_000
_EAGER = {"FAIRLEAD_DEBOUNCE": "0.01", "FAIRLEAD_DEBOUNCE_MAX": "0.05"}
_FORGETFUL = ("--etcd-compaction-interval=30s",)
"""Or etcd would keep every version of the snapshot."""


@dataclass(slots=True)
class Samples:
    """One column for each process, and what had been written by then."""

    publications: list[float] = field(default_factory=list)
    statuses: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    """MiB, by process."""

    @property
    def writes(self) -> list[float]:
        """Publications and statuses together."""
        return [sum(each) for each in zip(self.publications, self.statuses, strict=True)]


async def soak(writes: int, seed: int) -> tuple[Samples, float]:
    """Until the operator has written so often; also the seconds it took."""
    samples, lanes = Samples(), Lanes(_POLICIES // 2, random.Random(seed))
    objects = list(lanes.objects())
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        async with (
            running_cluster(Path(place), api_server_flags=_FORGETFUL) as cluster,
            aiohttp.ClientSession() as http,
        ):
            await cluster.create(objects)
            operator = await cluster.installation.add_operator("--http-port", str(port), environment=_EAGER)
            await cluster.installation.wait_until_converged()
            began = perf_counter()
            processes = {"operator": operator.pid}
            for number, router in enumerate(cluster.installation.routers):
                processes[f"router {number}"] = router.process.pid
            policies = [item["metadata"]["name"] for item in objects if item["kind"] == "RoutingPolicy"]
            async with asyncio.TaskGroup() as group:
                editors = [
                    group.create_task(_edit(cluster, policies[number::_EDITORS], random.Random(seed + number)))
                    for number in range(_EDITORS)
                ]
                while not samples.statuses or samples.writes[-1] < writes:
                    await asyncio.sleep(_SAMPLE_SECONDS)
                    published, told = await _counted(http, port)
                    samples.publications.append(published)
                    samples.statuses.append(told)
                    for name, pid in processes.items():
                        samples.memory.setdefault(name, []).append(status_value(pid, "VmRSS"))
                for editor in editors:
                    editor.cancel()
            return samples, perf_counter() - began


async def _edit(cluster: Cluster, policies: list[str], draw: random.Random) -> None:
    """One edit after the other, each as soon as the one before is programmed."""
    while True:
        name = draw.choice(policies)
        patch = {"spec": {"priority": draw.randrange(1_000_000)}}
        generation = await cluster.edit("RoutingPolicy", "default", name, patch)
        await cluster.statuses.when_programmed("RoutingPolicy", "default", name, generation, seconds=60)


async def _counted(http: aiohttp.ClientSession, port: int) -> tuple[float, float]:
    """Publications and statuses that the operator has written."""
    async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    found = {
        (sample.name, frozenset(sample.labels.values())): sample.value for each in families for sample in each.samples
    }
    return (
        found.get(("fairlead_operator_publications_total", frozenset({"published"})), 0.0),
        found.get(("fairlead_operator_status_writes_total", frozenset({"written"})), 0.0),
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=20_000, help="publications and statuses together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    samples, seconds = uvloop.run(soak(options.writes, options.seed))
    writes = samples.writes
    report = Report(f"Memory and what is written, {_POLICIES} policies, seed {options.seed}")
    report.add("publications", samples.publications[-1])
    report.add("statuses", samples.statuses[-1])
    report.add("writes a second", writes[-1] / seconds)
    begin = next(number for number, each in enumerate(writes) if each >= writes[-1] * _WARM_UP)
    for name, memory in samples.memory.items():
        found = slope_of([each / _UNIT for each in writes[begin:]], memory[begin:])
        report.add(f"{name}, after warm-up", memory[begin], "MiB")
        report.add(f"{name}, at the end", memory[-1], "MiB")
        interval = f"95 % between {found.low:+.2f} and {found.high:+.2f}; Theil–Sen {found.theil_sen:+.2f}"
        report.add(f"{name}, growth per {_UNIT:,} writes", found.least_squares, "MiB", note=interval)
    return report.publish(options.json, strict=False)


if __name__ == "__main__":
    raise SystemExit(main())
