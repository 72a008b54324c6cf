"""2,000 policies and 500 providers: ``python -m bench.operator_scale [--policies N] [--providers N] [--edits N] [--quick]``."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

import uvloop

from bench.operator_scale.objects import large_world, namespaces_of, objects_of, secrets_of
from bench.propagation.cluster import Cluster, running_cluster, status_value
from bench.report import Report, percentile
from devcluster.installation import SYSTEM
from devcluster.processes import Process
from fairlead_contract.delivery import snapshot_in
from fairlead_contract.snapshot import Sealed, SnapshotRejected
from fairlead_crds.compile import Previous
from fairlead_kube.errors import KubeError

_SNAPSHOT = f"/api/v1/namespaces/{SYSTEM}/configmaps/fairlead-snapshot"
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 180.0
_MIB = 1024 * 1024
_GOAL_MIB = 300 * 1000 * 1000 / _MIB


async def measure(policies: int, providers: int, edits: int, report: Report) -> None:
    """Fill an API server, start an operator, edit; every figure goes into ``report``."""
    world = large_world(policies, providers)
    objects = list(objects_of(world))
    with tempfile.TemporaryDirectory() as place:
        async with running_cluster(Path(place)) as cluster:
            began = perf_counter()
            await cluster.create(namespaces_of(world))
            await cluster.create(secrets_of(world))
            await cluster.create(objects)
            report.add(f"creating {len(objects):,} objects", perf_counter() - began, "s", note="by the benchmark")
            operator = await cluster.installation.add_operator()
            started = perf_counter()
            sealed = await _published(cluster, operator)
            report.add("operator's start to published", perf_counter() - started, "s", at_most=20)
            statuses = cluster.statuses
            for what, places in (("written", statuses.observed), ("settled", statuses.settled)):
                moment = await statuses.when_all(places, len(objects), _PATIENCE_SECONDS)
                report.add(f"operator's start to all statuses {what}", moment - started, "s")
            _say_what_is_in_it(sealed, report)
            report.add(
                "operator's memory, at most, start", status_value(operator.pid, "VmHWM"), "MiB", at_most=_GOAL_MIB
            )
            await _edit(cluster, [item for item in objects if item["kind"] == "RoutingPolicy"], edits, report)
            report.add("operator's memory, at most", status_value(operator.pid, "VmHWM"), "MiB", at_most=_GOAL_MIB)
            report.add("operator's memory at the end", status_value(operator.pid, "VmRSS"), "MiB")
            for number, router in enumerate(cluster.installation.routers):
                report.add(f"memory of router {number}, at most", status_value(router.process.pid, "VmHWM"), "MiB")


async def _published(cluster: Cluster, operator: Process) -> Sealed:
    """The first snapshot: it is made when everything has been listed."""
    deadline = perf_counter() + _PATIENCE_SECONDS
    while perf_counter() < deadline and operator.running:
        try:
            return snapshot_in(await cluster.client.get(_SNAPSHOT))
        except (KubeError, SnapshotRejected):
            await asyncio.sleep(_POLL_SECONDS)
    raise RuntimeError(f"nothing was published:\n{operator.log_tail()}")


def _say_what_is_in_it(sealed: Sealed, report: Report) -> None:
    kinds = Counter(entry.kind for entry in Previous.from_snapshot(sealed).entries.values())
    report.add("policies published", kinds["RoutingPolicy"])
    report.add("providers published", kinds["ModelProvider"])
    report.add("snapshot, compressed", len(sealed.payload) / 1024, "KiB")


async def _edit(cluster: Cluster, policies: list[dict[str, object]], edits: int, report: Report) -> None:
    draw = random.Random(1)
    seconds = []
    for _ in range(edits):
        metadata = draw.choice(policies)["metadata"]
        assert isinstance(metadata, dict)
        place = (metadata["namespace"], metadata["name"])
        sent = perf_counter()
        generation = await cluster.edit("RoutingPolicy", *place, {"spec": {"priority": draw.randrange(1000, 2000)}})
        told = await cluster.statuses.when_programmed("RoutingPolicy", *place, generation)
        seconds.append(told - sent)
        await asyncio.sleep(draw.uniform(0, 1))
    report.add(f"PATCH to Programmed, p50 of {edits}", percentile(seconds, 50), "s")
    report.add("PATCH to Programmed, max", max(seconds), "s", at_most=1.5)


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=2000)
    parser.add_argument("--providers", type=int, default=500)
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    policies, providers, edits = (each // share for each in (options.policies, options.providers, options.edits))
    report = Report(f"An operator and {policies:,} policies, {providers:,} providers")
    uvloop.run(measure(policies, providers, max(1, edits), report))
    return report.publish(options.json, strict=options.strict)


if __name__ == "__main__":
    raise SystemExit(main())
