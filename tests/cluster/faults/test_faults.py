"""What can happen to a cluster, one real fault at a time.

In each: processes as in production, twenty requests a second of which none may fail, and at the end everything declared is in
force, and nothing else, within 30 s.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from devcluster.control_plane import KubectlFailed
from devcluster.fault_proxy import FaultProxy, Mode
from devcluster.installation import SYSTEM
from devcluster.processes import Process
from tests.cluster.faults.objects import namespace, policy, provider, provider_with_key, secret
from tests.cluster.faults.skewed_clock import set_offset
from tests.cluster.faults.traffic import ask
from tests.cluster.faults.world import World, eventually, lasting, running

_SNAPSHOT = f"/api/v1/namespaces/{SYSTEM}/configmaps/fairlead-snapshot"
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_DAY = 86_400.0


@pytest.mark.fault(
    "The API server is stopped for 120 s; a router is killed and started again meanwhile",
    "Routers serve what they run; the one that is started serves its last good snapshot at once.",
)
@pytest.mark.timeout(240)
async def test_without_an_api_server_routers_serve_on_and_a_new_one_begins_with_the_last_good_snapshot(
    own_world: World,
) -> None:
    world, pid = own_world, own_world.operator.pid
    await world.control_plane.stop_api_server()
    stopped = time.monotonic()
    router = world.routers[1]
    await router.process.kill()
    router.process.start()
    await router.process.wait_until(router.ready, "serving without an API server", timeout=10)
    assert (await router.config(world.http))["source"] == "last-good"
    assert await ask(world.http, router) == "default/first/m"
    await lasting(120, since=stopped)
    await world.control_plane.start_api_server()
    ended = time.monotonic()
    await world.apply(policy("everything", "second"))
    await world.recovered(ended, answered_by="default/second")
    assert world.operator.pid == pid


@pytest.mark.fault(
    "The API server answers 403, then 429, then resets connections, then is slow, 10 s each",
    "Routers serve what they run; the operator goes on trying.",
)
@pytest.mark.timeout(150)
async def test_whatever_the_api_server_answers_is_tried_again(world: World) -> None:
    pid = world.operator.pid
    for mode in (Mode.FORBIDDEN, Mode.THROTTLED, Mode.REFUSE, Mode.SLOW):
        with world.proxy.failing(mode):
            await lasting(10, since=time.monotonic())
    ended = await world.apply(policy("everything", "second"))
    await world.recovered(ended, answered_by="default/second")
    assert world.operator.pid == pid


@pytest.mark.fault(
    "Watches stay open and deliver nothing, for as long as it takes",
    "The operator's lists and the routers' own look tell what watches did not; recovery is from the edit, in the stall.",
)
@pytest.mark.timeout(120)
async def test_an_edit_and_a_deletion_are_obeyed_although_all_watches_stall(world: World) -> None:
    await world.apply(provider("doomed"))
    await world.converged(time.monotonic(), answered_by="default/first")
    with world.proxy.failing(Mode.STALL):
        edited = await world.apply(policy("everything", "second"))
        await world.delete("modelprovider", "doomed")
        await world.recovered(edited, answered_by="default/second")


@pytest.mark.fault(
    "The operator hangs (SIGSTOP); objects are deleted, etcd is compacted, the API server restarted",
    "Routers serve what they run. Back again, the operator lists anew, and what was deleted is withdrawn.",
)
@pytest.mark.timeout(150)
async def test_deletions_that_no_event_will_ever_tell_are_obeyed(own_world: World) -> None:
    world = own_world
    await world.apply(provider("doomed"), policy("doomed", "doomed", priority=-1))
    await world.converged(time.monotonic(), answered_by="default/first")
    pid = world.operator.pid
    world.operator.pause()
    await world.delete("modelprovider/doomed", "routingpolicy/doomed")
    await world.apply(policy("everything", "second"), provider("third"))
    await world.control_plane.compact_etcd()
    # Empties the cache from which watches could still be served, and cuts them.
    await world.control_plane.stop_api_server()
    await world.control_plane.start_api_server()
    world.operator.resume()
    await world.recovered(time.monotonic(), answered_by="default/second")
    assert world.operator.pid == pid


@pytest.mark.fault(
    "The operator is killed (SIGKILL) between the writes of Secret and ConfigMap, and started again",
    "Routers serve the snapshot before, with its credentials. The new process waits until the Lease of the dead expires.",
)
@pytest.mark.timeout(150)
async def test_an_operator_killed_in_mid_publish_leaves_nothing_half(world: World) -> None:
    await world.apply(secret("key", "one"), provider_with_key("keyed", "key"))
    await world.converged(time.monotonic(), answered_by="default/first")
    before = await _revision_published(world)
    async with world.proxy.holding("PATCH", _SNAPSHOT) as held:
        await world.apply(secret("key", "two"), policy("everything", "second"))
        await held.reached.wait()
        assert "two" in await _credentials_published(world)
        await world.operator.kill()
    assert await _revision_published(world) == before
    assert await ask(world.http, world.routers[0]) == "default/first/m"
    world.operator.start()
    await world.recovered(time.monotonic(), answered_by="default/second")
    assert all([not (await router.config(world.http))["pending"] for router in world.routers])
    await eventually(lambda: _only_the_newest_key(world), "the key before is taken away")


@pytest.mark.fault(
    "Two leaders: one hangs (SIGSTOP) with a publication on its way, another takes over, the first goes on",
    "Recovery is from the hang: the Lease expires, the other publishes. No write of the first is taken any more.",
)
@pytest.mark.timeout(150)
async def test_of_two_leaders_only_the_later_one_writes(world: World) -> None:
    first, path_of_first = world.operator, world.proxy
    upstream = world.control_plane
    async with FaultProxy(upstream.url, upstream.ssl_context()) as path_of_second:
        world.installation.server = path_of_second.url
        await world.installation.add_operator()
        async with path_of_first.holding("PATCH", _SNAPSHOT) as held:
            await world.apply(policy("everything", "second"))
            await held.reached.wait()
            first.pause()
            hung = time.monotonic()
            await world.apply(provider("third"))
            await world.recovered(hung, answered_by="default/second")
            revision = await _revision_published(world)
            answered_before = len(path_of_first.answers)
            held.release()
            await eventually(lambda: _refused(path_of_first), "the write that was on its way is refused")
            first.resume()
        await lasting(20, since=time.monotonic())
        late = [each for each in path_of_first.answers[answered_before:] if each.method in _WRITES]
        assert [each for each in late if each.status < 300] == []
        assert await _revision_published(world) == revision
        await world.converged(time.monotonic(), answered_by="default/second")
        await world.installation.operators[1].stop()


@pytest.mark.fault(
    "The wall clocks of an operator and a router jump a day ahead, then a day behind",
    "Leadership and publishing go on, in the same processes: neither rests on the time of day.",
)
@pytest.mark.timeout(150)
async def test_no_jump_of_a_wall_clock_changes_anything(world: World, tmp_path: Path) -> None:
    clock = tmp_path / "offset"
    set_offset(clock, 0)
    router = world.routers[1]
    for process in (world.operator, router.process):
        await _restart_with_clock(process, clock)
    await router.process.wait_until(router.ready, "being ready")
    await world.apply(provider("third"))
    await world.converged(time.monotonic(), answered_by="default/first")
    pids = world.operator.pid, router.process.pid
    lease = await _lease(world)
    set_offset(clock, _DAY)
    await eventually(lambda: _renewed(world, lease), "the Lease is renewed a day ahead")
    ahead = await world.apply(policy("everything", "second"), provider("fourth"))
    await world.converged(ahead, answered_by="default/second")
    lease_ahead = await _lease(world)
    set_offset(clock, -_DAY)
    await eventually(lambda: _renewed(world, lease_ahead), "the Lease is renewed a day behind")
    behind = await world.apply(policy("everything", "fourth"))
    await world.delete("modelprovider", "third")
    await world.recovered(behind, answered_by="default/fourth")
    assert (world.operator.pid, router.process.pid) == pids
    after = await _lease(world)
    assert after["leaseTransitions"] == lease["leaseTransitions"]
    assert after["renewTime"] < lease["renewTime"] < lease_ahead["renewTime"]


@pytest.mark.fault(
    "Objects are created, edited and deleted while there is no operator",
    "Routers serve what they run; nothing is obeyed until an operator is back.",
)
@pytest.mark.timeout(150)
async def test_what_was_done_while_the_operator_was_down_is_obeyed_when_it_is_back(world: World) -> None:
    await world.apply(provider("doomed"), policy("doomed", "doomed", priority=-1))
    await world.converged(time.monotonic(), answered_by="default/first")
    await world.operator.stop()
    await world.apply(policy("everything", "third"), provider("third"))
    await world.delete("modelprovider/doomed", "routingpolicy/doomed", "modelprovider/second")
    await world.apply(provider("second"))
    assert await ask(world.http, world.routers[0]) == "default/first/m"
    world.operator.start()
    await world.recovered(time.monotonic(), answered_by="default/third")


@pytest.mark.fault(
    "A namespace is deleted with everything in it",
    "Routers forget it, its workspaces fall to the default, nobody else notices, and nothing of ours keeps it from going.",
)
@pytest.mark.timeout(150)
async def test_a_namespace_that_is_deleted_is_forgotten_and_really_goes(world: World) -> None:
    workspace = {"x-fairlead-workspace": "doomed"}
    await world.apply(
        namespace("team-doomed", **{"fairlead.dev/workspaces": "doomed"}),
        namespace("team-other", **{"fairlead.dev/workspaces": "other"}),
    )
    for team in ("team-doomed", "team-other"):
        await world.apply(
            secret("key", "one", team),
            provider("own", team),
            provider_with_key("keyed", "key", team),
            # ``default`` is a platform namespace: its policies are everybody's, after those of a higher priority.
            policy("everything", "own", team, priority=10),
        )
    await world.converged(time.monotonic(), answered_by="default/first")
    assert await ask(world.http, world.routers[0], workspace) == "team-doomed/own/m"
    deleted = await world.delete("namespace", "team-doomed")
    await eventually(lambda: _has_gone(world, "team-doomed"), "the namespace goes away")
    await world.recovered(deleted, answered_by="default/first")
    for router in world.routers:
        assert await ask(world.http, router, {"x-fairlead-workspace": "other"}) == "team-other/own/m"
        assert await ask(world.http, router, workspace) == "default/first/m"
        assert {place for _, place, *_ in running(await router.config(world.http))} == {"default", "team-other"}
    await eventually(lambda: _forgotten(world, "team-doomed"), "its credentials are taken away")


@pytest.mark.fault(
    "etcd is restored from an older copy: newer history is lost",
    "Routers serve what they run, which is newer than what is published, until a new epoch begins, and then follow.",
)
@pytest.mark.timeout(200)
async def test_after_a_restore_of_etcd_routers_follow_into_a_new_epoch(own_world: World, tmp_path: Path) -> None:
    world = own_world
    copy = tmp_path / "copy"
    await world.control_plane.save_etcd(copy)
    for name in ("third", "fourth", "fifth"):
        edited = await world.apply(provider(name), policy("everything", name), policy("lost", name, priority=-1))
        await world.converged(edited, answered_by=f"default/{name}")
    before = await world.routers[0].config(world.http)
    pid = world.operator.pid
    await world.control_plane.restore_etcd(copy)
    await world.recovered(time.monotonic(), answered_by="default/first")
    for router in world.routers:
        after = await router.config(world.http)
        assert after["epoch"] > before["epoch"]
        assert "default/third" not in json.dumps(after)
    edited = await world.apply(policy("everything", "second"))
    await world.converged(edited, answered_by="default/second")
    assert world.operator.pid == pid


# ------------------------------------------------------------------------------------------------ what is in the cluster


async def _get(world: World, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await world.control_plane.kubectl("get", *what, "--output=json"))
    return found


async def _revision_published(world: World) -> str:
    found = await _get(world, "configmap", "fairlead-snapshot", "-n", SYSTEM)
    version: str = found["metadata"]["resourceVersion"]
    return version


async def _credentials_published(world: World) -> str:
    """All of what is in the Secret, as one text."""
    found = await _get(world, "secret", "fairlead-credentials", "-n", SYSTEM)
    return "".join(b64decode(value).decode() for value in found["data"].values())


async def _only_the_newest_key(world: World) -> bool:
    said = await _credentials_published(world)
    return '"two"' in said and '"one"' not in said


async def _forgotten(world: World, name: str) -> bool:
    return name not in await _credentials_published(world)


async def _lease(world: World) -> dict[str, Any]:
    spec: dict[str, Any] = (await _get(world, "lease", "fairlead-operator", "-n", SYSTEM))["spec"]
    return spec


async def _renewed(world: World, before: dict[str, Any]) -> bool:
    return bool((await _lease(world))["renewTime"][:10] != before["renewTime"][:10])


async def _refused(proxy: FaultProxy) -> bool:
    return any(each.path == _SNAPSHOT and each.method == "PATCH" and each.status == 409 for each in proxy.answers)


async def _has_gone(world: World, name: str) -> bool:
    try:
        await world.control_plane.kubectl("get", "namespace", name)
    except KubectlFailed as failed:
        return "NotFound" in str(failed)
    return False


async def _restart_with_clock(process: Process, clock: Path) -> None:
    """The same command, with a wall clock that ``clock`` sets from now on."""
    await process.stop()
    wrapper = Path(__file__).with_name("skewed_clock.py")
    process.command = [sys.executable, str(wrapper), str(clock), *process.command[1:]]
    process.start()
