"""The operator as a process: what it may see, how it starts, and what it says of itself."""

from __future__ import annotations

import json

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from devcluster.installation import ROOT, SYSTEM
from devcluster.processes import Process
from fairlead_crds.generate.crd import PENDING
from tests.cluster.operator.world import (
    QUICK,
    TEST_LABEL,
    World,
    admin_of,
    ended_well,
    policy,
    provider,
    until,
    version_of,
)

_NARROW = "fairlead-narrow"


async def test_with_roles_in_one_namespace_it_obeys_that_one_and_touches_no_other(world: World) -> None:
    control_plane = world.installation.control_plane
    for name in ("scope-a", "scope-b"):
        metadata = {"name": name, "labels": {TEST_LABEL: "true"}}
        await world.kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    manifest = {"apiVersion": "v1", "kind": "List", "items": _narrow_permissions("scope-a")}
    await control_plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    token = await control_plane.token(SYSTEM, _NARROW)
    await world.installation.add_router()
    kubeconfig = control_plane.write_kubeconfig(
        world.installation.directory / "narrow.kubeconfig", token=token, namespace=SYSTEM
    )
    operator = await world.installation.add_operator(
        *("--kubeconfig", str(kubeconfig), "--watch-namespaces", "scope-a", "--secret-namespaces", "scope-a"),
        environment={**QUICK, "FAIRLEAD_DEFAULT_NAMESPACE": "scope-a"},
    )
    ours = [provider("fast", namespace="scope-a"), policy("chat", "fast", namespace="scope-a")]
    theirs = [provider("slow", namespace="scope-b"), policy("chat", "slow", namespace="scope-b")]
    await world.apply(*theirs, *ours)
    for each in ours:
        await world.shows(each, "Ready", "True")
    await world.routed_to("fast", timeout=0)
    before = [version_of(await world.read(each)) for each in theirs]
    await world.apply(policy("chat", "fast", namespace="scope-a", priority=5))
    await world.shows(ours[1], "Ready", "True")
    assert [version_of(await world.read(each)) for each in theirs] == before
    assert [(await world.read(each))["status"] for each in theirs] == 2 * [{"conditions": [PENDING]}]
    (router,) = world.installation.routers
    assert "scope-b" not in await world.text_of(f"{router.admin}/-/config")
    assert "forbidden" not in operator.log.read_text()


def _narrow_permissions(namespace: str) -> list[dict[str, object]]:
    kinds = ["modelproviders", "routingpolicies", "abtests", "workspacebudgets"]
    rules = [
        {"apiGroups": ["fairlead.dev"], "resources": kinds, "verbs": ["list", "watch"]},
        {"apiGroups": ["fairlead.dev"], "resources": [f"{kind}/status" for kind in kinds], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]
    rbac, account = "rbac.authorization.k8s.io", {"kind": "ServiceAccount", "name": _NARROW, "namespace": SYSTEM}

    def bound(where: str, role: str) -> dict[str, object]:
        return {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": _NARROW, "namespace": where},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": role},
            "subjects": [account],
        }

    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NARROW, "namespace": SYSTEM}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": {"name": _NARROW, "namespace": namespace},
            "rules": rules,
        },
        bound(namespace, _NARROW),
        bound(SYSTEM, "fairlead-operator"),
    ]


async def test_probes_and_metrics_say_how_it_fares(world: World) -> None:
    operator = await world.start(routers=1)
    await world.apply(provider("fast"), policy("chat", "fast"))
    await world.settle()
    for probe in ("livez", "readyz"):
        assert await world.text_of(f"{admin_of(operator)}/{probe}") == "ok\n"
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(await world.text_of(f"{admin_of(operator)}/metrics"))
        for sample in family.samples
    }
    assert samples["fairlead_operator_leader",] == 1
    assert samples["fairlead_operator_snapshot_revision",] == (await world.published())[1]
    assert samples["fairlead_operator_objects", "routingpolicies"] == 1
    assert samples["fairlead_operator_routers", "reachable"] == 1
    assert samples["fairlead_operator_routers", "unreachable"] == 0
    assert samples["fairlead_operator_publications_total", "published"] >= 1
    assert samples["fairlead_operator_status_writes_total", "written"] >= 2
    assert samples["fairlead_operator_last_list_timestamp_seconds",] > 0

    await operator.stop()
    assert ended_well(operator)
    assert "Traceback" not in operator.log.read_text()


async def test_without_crds_it_says_so_keeps_trying_and_works_once_they_are_there(world: World) -> None:
    """The fixture brings them back should this fail half-way: installing is what every test begins with."""
    kubectl = world.installation.control_plane.kubectl
    await kubectl("delete", "-f", str(ROOT / "crds"), "--timeout=20s")
    operator = await world.start(routers=1)

    async def says() -> bool:
        return "install the CRDs first" in operator.log.read_text()

    await operator.wait_until(says, "naming the CRDs")
    assert await _status(world, operator, "readyz") == 503
    assert await _status(world, operator, "livez") == 200
    await world.installation.install()
    await world.apply(provider("fast"), policy("chat", "fast"))
    await world.shows(policy("chat", "fast"), "Ready", "True")
    await world.routed_to("fast", timeout=0)

    async def ready() -> bool:
        return await _status(world, operator, "readyz") == 200

    await until(ready, "being ready")


async def _status(world: World, operator: Process, probe: str) -> int:
    try:
        async with world.http.get(f"{admin_of(operator)}/{probe}") as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0
