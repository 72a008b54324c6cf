"""Two ways in which operators written with Kopf fail silently, shown with its defaults; and ours in the very same fault.

What Kopf does is asserted as the installed version (1.45.2) does it. The reading of 1.44 that these tests began with differs
in one point: there the task of a dead watcher was never looked at again, so that the process lived on, deaf, with all its
probes green. Since then the orchestrator raises the error of a watcher that ended, and the whole operator ends with it. That
is better where something restarts the process, but every outage of a minute is then a restart, or, once the kubelet backs
off, five minutes of deafness.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devcluster.control_plane import running_control_plane
from devcluster.fault_proxy import Mode
from devcluster.installation import Installation
from devcluster.processes import Process
from tests.cluster.faults.objects import policy, provider
from tests.cluster.faults.world import Record, World, eventually, lasting, world_on

_NAIVE = Path(__file__).with_name("naive_operator.py")


@pytest.mark.fault(
    "The API server, or what is before it, answers 503 for 120 s",
    "Routers serve what they run. The operator goes on trying, in the same process; one with Kopf's defaults ends.",
)
@pytest.mark.timeout(260)
async def test_the_watchers_of_plain_kopf_die_after_a_minute_of_503_and_ours_hear_the_next_change(world: World) -> None:
    async with _naive_operator(world) as (naive, said):
        pid = world.operator.pid
        with world.proxy.failing(Mode.UNAVAILABLE):
            await lasting(120, since=time.monotonic())
        ended = await world.apply(policy("everything", "second"), provider("third"))
        await world.recovered(ended, answered_by="default/second")
        assert world.operator.pid == pid
        assert not naive.running
        assert "third" not in _read(said)["heard"]


@pytest.mark.fault(
    "An object is deleted while no watch is open, and etcd is compacted",
    "Watches learn that they are too old (410). A Kopf index keeps the deleted object for ever; our lists withdraw it.",
)
@pytest.mark.timeout(150)
async def test_the_index_of_plain_kopf_keeps_what_was_deleted_in_a_gap_and_ours_withdraws_it(
    tmp_path: Path, record: Record
) -> None:
    flags = ["--watch-cache=false"]
    async with running_control_plane(tmp_path / "control-plane", api_server_flags=flags) as control_plane:
        installation = Installation(control_plane, tmp_path)
        await installation.install()
        async with world_on(installation, record) as world, _naive_operator(world) as (naive, said):
            await world.apply(provider("doomed"))
            await eventually(lambda: _knows(said, "doomed"), "the naive operator knows the provider")
            await world.converged(time.monotonic(), answered_by="default/first")
            with world.proxy.failing(Mode.REFUSE):
                await world.delete("modelprovider", "doomed")
                await world.apply(policy("everything", "second"))
                await control_plane.compact_etcd()
            await world.apply(provider("later"))
            await world.recovered(time.monotonic(), answered_by="default/second")
            # It has listed anew, and knows what is new, but not what is gone.
            await eventually(lambda: _knows(said, "later"), "the naive operator watches again")
            assert naive.running
            assert "doomed" in _read(said)["index"]


@asynccontextmanager
async def _naive_operator(world: World) -> AsyncIterator[tuple[Process, Path]]:
    """It, and the file in which it says what it knows."""
    plane, folder = world.control_plane, world.installation.directory
    await plane.kubectl("create", "serviceaccount", "naive", "-n", "default")
    await plane.kubectl(
        *("create", "clusterrolebinding", "naive", "--clusterrole=cluster-admin", "--serviceaccount=default:naive")
    )
    token = await plane.token("default", "naive")
    kubeconfig = plane.write_kubeconfig(folder / "naive.kubeconfig", server=world.proxy.url, token=token)
    said = folder / "naive.json"
    process = Process("naive", [sys.executable, _NAIVE, kubeconfig, said], folder / "naive.log")
    process.start()
    try:
        await eventually(lambda: _knows(said, "first"), "the naive operator knows the providers")
        yield process, said
    finally:
        await process.stop()
        await plane.kubectl("delete", "clusterrolebinding/naive", "serviceaccount/naive", "-n", "default")


async def _knows(said: Path, name: str) -> bool:
    return name in _read(said)["index"]


def _read(said: Path) -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = json.loads(said.read_text())
    except FileNotFoundError:
        return {"heard": [], "index": []}
    return found
