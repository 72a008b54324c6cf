"""What is published, when others write it, and who counts as a router."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from devcluster.installation import SYSTEM, Router
from fairlead_contract.delivery import snapshot_fields, snapshot_in
from fairlead_contract.snapshot import MAX_BODY_BYTES, Sealed
from fairlead_kube.client import Json
from tests.cluster.operator.world import SNAPSHOT, World, condition, policy, provider, until

FAST, SLOW, CHAT = provider("fast"), provider("slow"), policy("chat", "fast")
_ANOTHER = "somebody-else"


async def test_without_a_router_nobody_knows_and_with_one_it_is_true(world: World) -> None:
    await world.start(routers=0)
    await world.apply(FAST, CHAT)
    await world.shows(CHAT, "Programmed", "Unknown", "NoRouters")
    said = await world.shows(CHAT, "Ready", "Unknown", "NoRouters")
    assert "no ready router" in said["message"]
    assert condition(await world.read(CHAT), "Reconciling")["status"] == "True"
    assert condition(await world.read(CHAT), "Accepted")["status"] == "True"


async def test_objects_that_a_chart_has_made_empty_are_filled_without_a_complaint(world: World) -> None:
    kubectl = world.installation.control_plane.kubectl
    await kubectl("create", "configmap", "fairlead-snapshot", f"--namespace={SYSTEM}")
    await kubectl("create", "secret", "generic", "fairlead-credentials", f"--namespace={SYSTEM}")
    await world.start(routers=1)
    await world.apply(FAST, CHAT)
    await world.shows(CHAT, "Ready", "True")
    (operator,) = world.installation.operators
    assert "cannot be read" not in operator.log.read_text()


async def test_routers_behind_a_service_count_from_when_they_are_ready_until_they_are_gone(world: World) -> None:
    """Found by EndpointSlices, as in a cluster. One that hangs holds up the word Programmed, not the others."""
    host = _address_of_this_machine()
    for _ in range(2):
        await world.installation.add_router("--admin-host", "0.0.0.0")
    await world.installation.add_operator("--routers", "", environment={"FAIRLEAD_RESYNC": "2"})
    await world.apply(FAST, SLOW, CHAT)
    await world.shows(CHAT, "Programmed", "Unknown", "NoRouters")
    one, other = world.installation.routers
    for router in (one, other):
        await _announce(world, router, host)
    await world.shows(CHAT, "Ready", "True")

    other.process.pause()
    await world.apply(policy("chat", "slow"))

    async def half() -> bool:
        said = condition(await world.read(CHAT), "Programmed")
        return said["reason"] == "RollingOut" and said["message"] == "1 of 2 ready routers run this generation"

    await until(half, "one of two running it")
    answer = await world.chat(one)
    assert "slow-model" in (answer.model or "")
    said = await world.shows(CHAT, "Programmed", "Unknown", "RoutersUnreachable", timeout=30)
    assert "did not answer" in said["message"]
    other.process.resume()
    await world.shows(CHAT, "Ready", "True")
    await world.routed_to("slow", timeout=0)

    await other.process.kill()
    await world.kube.request("DELETE", f"{_SLICES}/{_slice_name(other)}")
    await world.apply(policy("chat", "fast"))
    await world.shows(CHAT, "Ready", "True")


_SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM}/endpointslices"


def _slice_name(router: Router) -> str:
    return f"router-{router.admin_port}"


async def _announce(world: World, router: Router, host: str) -> None:
    """What the controllers of a Service write once a pod is ready."""
    labels = {"kubernetes.io/service-name": "fairlead-router"}
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": _slice_name(router), "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "admin", "port": router.admin_port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
    }
    await world.kube.create(_SLICES, body)


def _address_of_this_machine() -> str:
    """The API server takes no loopback address in an EndpointSlice."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback, and an EndpointSlice may not name that")
        address: str = probe.getsockname()[0]
        return address


async def test_the_status_says_that_a_router_refuses_the_snapshot_as_long_as_it_does(world: World) -> None:
    """A router of another version, which says so in the words of ours."""
    answer: Json = {"epoch": 1, "revision": 0, "source": "last-good", "pending": [], "lastRejected": None}
    rejected = {"epoch": 99, "revision": 1, "reason": "SchemaUnsupported", "message": "upgrade the routers", "at": 0.0}

    async def config(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/-/config", config)
    async with TestServer(app) as server:
        address = f"http://127.0.0.1:{server.port}"
        await world.installation.add_operator("--routers", address, environment={"FAIRLEAD_RESYNC": "2"})
        await world.apply(FAST, CHAT)
        await world.shows(CHAT, "Programmed", "False", "RollingOut")
        answer["lastRejected"] = rejected
        said = await world.shows(CHAT, "Programmed", "False", "SnapshotRefused")
        assert address in said["message"]
        assert said["message"].endswith("SchemaUnsupported: upgrade the routers")
        assert condition(await world.read(CHAT), "Stalled")["reason"] == "SnapshotRefused"
        answer["epoch"], answer["revision"] = await world.published()
        await world.shows(CHAT, "Ready", "True")
        answer["pending"] = [{"provider": "default/fast", "secret": "keys", "key": "first", "version": "v"}]
        await world.shows(FAST, "Programmed", "False", "CredentialsPending")
        assert condition(await world.read(CHAT), "Ready")["status"] == "True"


# ------------------------------------------------------------------------------------------------ foreign writes


async def test_a_published_snapshot_that_others_delete_or_edit_is_published_again_and_no_router_loses_anything(
    world: World,
) -> None:
    await world.start()
    await world.apply(FAST, SLOW, CHAT)
    await world.settle()

    await world.kube.request("DELETE", SNAPSHOT)
    await world.all_run_what_is_published()
    await world.routed_to("fast", timeout=0)

    # As damaged as can be: the manifest is right, the body is not. Routers that run do not notice, new ones would.
    sealed = snapshot_in(await world.kube.get(SNAPSHOT))
    await _write(world, Sealed(sealed.manifest, sealed.payload[:-3]))

    async def repaired() -> bool:
        return snapshot_in(await world.kube.get(SNAPSHOT)) == sealed

    await until(repaired, "the body being whole again")

    # A label of somebody else is none of our business.
    await world.kube.merge(SNAPSHOT, {"metadata": {"labels": {"team": "blue"}}})
    await world.apply(policy("chat", "slow"))
    await world.shows(CHAT, "Ready", "True")
    await world.routed_to("slow", timeout=0)
    assert (await world.kube.get(SNAPSHOT))["metadata"]["labels"]["team"] == "blue"


def _oversized(sealed: Sealed) -> Sealed:
    return _with(sealed, body_bytes=MAX_BODY_BYTES + 1)


def _unknown_schema(sealed: Sealed) -> Sealed:
    return _with(sealed, schema_version=99)


def _wrong_digest(sealed: Sealed) -> Sealed:
    return _with(sealed, digest="sha256:" + "0" * 64)


def _half_body(sealed: Sealed) -> Sealed:
    return Sealed(_with(sealed).manifest, sealed.payload[: len(sealed.payload) // 2])


def _no_json(sealed: Sealed) -> Sealed:
    made = _with(sealed, body_bytes=3, digest="sha256:" + "0" * 64)
    return Sealed(made.manifest, zlib.compress(b"no!"))


def _older(sealed: Sealed) -> Sealed:
    return Sealed(msgspec.structs.replace(sealed.manifest, revision=sealed.manifest.revision - 1), sealed.payload)


def _with(sealed: Sealed, **changes: object) -> Sealed:
    """The next revision, with changes of its manifest."""
    changed = {"revision": sealed.manifest.revision + 1, **changes}
    return Sealed(msgspec.structs.replace(sealed.manifest, **changed), sealed.payload)


REFUSED: list[tuple[Callable[[Sealed], Sealed], str, str]] = [
    (_oversized, "TooLarge", "limit"),
    (_unknown_schema, "SchemaUnsupported", "upgrade the routers"),
    (_wrong_digest, "DigestMismatch", "digest"),
    (_half_body, "Malformed", "cut short"),
    (_no_json, "DigestMismatch", "digest"),
    (_older, "Stale", "not newer"),
]


@pytest.mark.timeout(120)
async def test_a_snapshot_that_must_not_be_loaded_is_refused_with_its_reason_and_then_repaired(world: World) -> None:
    """The running table stays, with what is last good of an object that is invalid just now."""
    await world.start()
    await world.apply(FAST, SLOW, CHAT)
    await world.settle()
    await world.apply(policy("chat", "slow", strategy="Pareto"))
    await world.shows(CHAT, "Accepted", "False", "NotImplemented")
    await world.all_run_what_is_published()
    one, _ = world.installation.routers
    for damage, reason, words in REFUSED:
        before = await _refused(world, one, reason)
        await _write(world, damage(snapshot_in(await world.kube.get(SNAPSHOT))))
        await _told(world, reason, words)
        assert await _refused(world, one, reason) > before
        await world.routed_to("fast", timeout=0)
        await world.all_run_what_is_published()
    half_written = await world.kube.get(SNAPSHOT)
    manifest = half_written["data"]["manifest.json"].replace('"revision": ', '"revision": 9')
    await world.kube.merge(SNAPSHOT, {"data": {"manifest.json": manifest}})
    await _told(world, "Malformed", "half-written")
    await world.all_run_what_is_published()
    await world.kube.merge(SNAPSHOT, {"binaryData": None})
    await _told(world, "Malformed", "no binaryData")
    await world.all_run_what_is_published()
    await world.routed_to("fast", timeout=0)

    # All of it healed: the next edit goes the usual way.
    await world.apply(policy("chat", "slow"))
    await world.shows(CHAT, "Ready", "True")
    await world.routed_to("slow", timeout=0)


async def test_routers_that_run_what_somebody_else_published_are_brought_back_by_a_new_epoch(world: World) -> None:
    await world.start(routers=1, environment={"FAIRLEAD_RESYNC": "12"})
    await world.apply(FAST, SLOW, CHAT)
    await world.settle()
    operator = world.installation.operators[0]
    operator.pause()
    # What comes next is refused as if it were old: the router runs a later revision, of the same content.
    sealed = snapshot_in(await world.kube.get(SNAPSHOT))
    later = msgspec.structs.replace(sealed.manifest, revision=sealed.manifest.revision + 50)
    await _write(world, Sealed(later, sealed.payload))
    await until(lambda: _runs(world, later.version), "the router running what somebody else published")
    await _write(world, sealed)
    await _told(world, "Stale", "not newer")
    operator.resume()
    await world.apply(policy("chat", "slow"))
    await world.shows(CHAT, "Ready", "True")
    await world.routed_to("slow", timeout=0)
    await world.all_run_what_is_published()
    assert (await world.published())[0] > sealed.manifest.epoch


async def _runs(world: World, version: tuple[int, int]) -> bool:
    return await world.runs(world.installation.routers[0]) == version


async def _write(world: World, sealed: Sealed) -> Json:
    fields = snapshot_fields(sealed)
    return await world.kube.merge(SNAPSHOT, fields)


async def _told(world: World, reason: str, words: str) -> None:
    """Every router tells why it refused."""
    for router in world.installation.routers:

        async def tells(router: Router = router) -> bool:
            rejected = (await router.config(world.http)).get("lastRejected") or {}
            return rejected.get("reason") == reason and words in rejected.get("message", "")

        await until(tells, f"a refusal for the reason {reason}: {words}")


async def _refused(world: World, router: Router, reason: str) -> float:
    """Refusals so far for this reason, in the router's metrics."""
    for family in text_string_to_metric_families(await world.text_of(f"{router.admin}/metrics")):
        for sample in family.samples:
            if sample.name == "fairlead_config_rejections_total" and sample.labels["reason"] == reason:
                return sample.value
    raise AssertionError(f"the router does not count refusals for the reason {reason}")
