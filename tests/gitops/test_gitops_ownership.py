"""What Git owns stays as Git wrote it: the operator writes statuses, and objects of its own, and nothing else at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import yaml

from devcluster.installation import SYSTEM
from fairlead_kube.errors import KubeError
from tests.cluster.operator.world import USER, World, condition, path, policy, provider, remote, until
from tests.crds.crd_objects import SMALL
from tests.gitops.argo_files import CONFIG_MAP
from tests.gitops.judge import Judge

Object = dict[str, Any]

OPERATOR = "fairlead-operator-status"
OWN = {
    ("ConfigMap", SYSTEM, "fairlead-snapshot"),
    ("Secret", SYSTEM, "fairlead-credentials"),
    ("Lease", SYSTEM, "fairlead-operator"),
}
KINDS = frozenset(SMALL)


def _labelled(made: Object, **metadata: Any) -> Object:
    """As people have them, with all that an operator might be tempted to touch."""
    mine = {"labels": {"team": "red"}, "annotations": {"example.com/note": "mine"}, "finalizers": ["example.com/hold"]}
    return {**made, "metadata": {**made["metadata"], **mine, **metadata}}


def _other(kind: str, name: str, **spec: Any) -> Object:
    metadata = {"namespace": "default", "name": name}
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": SMALL[kind]["spec"] | spec,
    }


HTTPS = "https://127.0.0.1:9/v1"
ARM = {"modelRef": {"providerRef": {"name": "fast"}, "model": "fast-model"}, "weightPercent": 50}
SITUATIONS: list[tuple[Object, str, str]] = [
    (_labelled(provider("fast")), "Current", "Healthy"),
    (_labelled(remote("keyed", HTTPS, "first")), "Current", "Healthy"),
    (_labelled(remote("keyless", HTTPS, "nowhere")), "InProgress", "Progressing"),
    (_labelled(policy("chat", "fast")), "Current", "Healthy"),
    (_labelled(policy("lost", "nobody", team="lost")), "InProgress", "Progressing"),
    (_labelled(policy("broken", "fast", team="broken", strategy="Pareto")), "Failed", "Degraded"),
    (_labelled(policy("parked", "fast", team="parked", suspend=True)), "Current", "Suspended"),
    (
        _labelled(policy("held", "fast", team="held"), annotations={"fairlead.dev/paused": "true"}),
        "Failed",
        "Suspended",
    ),
    (_labelled(_other("WorkspaceBudget", "budget", workspace="default")), "Current", "Healthy"),
    (
        _labelled(
            _other("ABTest", "test", policyRef={"name": "chat"}, arms=[{"name": "a", **ARM}, {"name": "b", **ARM}])
        ),
        "Failed",
        "Degraded",
    ),
]
"""What is applied, and what kstatus and Argo CD say of it once the operator has spoken."""


def _owned_by_people(item: Object) -> Object:
    """All of an object but what belongs to a status or to the API server."""
    metadata = {
        name: value for name, value in item["metadata"].items() if name not in ("managedFields", "resourceVersion")
    }
    managed = [each for each in item["metadata"].get("managedFields", []) if each.get("subresource") != "status"]
    rest = {name: value for name, value in item.items() if name not in ("metadata", "status")}
    return {**rest, "metadata": metadata, "managedFields": managed}


async def _everything(world: World) -> list[Object]:
    """Every object of every kind that the API server can list."""
    kubectl = world.installation.control_plane.kubectl
    names = (await kubectl("api-resources", "--verbs=list", "--output=name")).split()
    every = ("--all-namespaces", "--show-managed-fields", "--output=json")
    return list(json.loads(await kubectl("get", ",".join(names), *every))["items"])


def _digests(items: list[Object]) -> dict[tuple[str, str, str], str]:
    """Of everything but what the operator calls its own, and Events."""
    return {
        _name(item): hashlib.sha256(json.dumps(_owned_by_people(item), sort_keys=True).encode()).hexdigest()
        for item in items
        if _name(item) not in OWN
        and item["kind"] != "Event"
        and item["kind"] in KINDS | {"Secret", "ConfigMap", "Namespace"}
    }


def _name(item: Object) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


async def _spoken(world: World, made: Object) -> Object:
    """The object, once the operator has looked at it as it is."""
    found: Object = {}

    async def spoken() -> bool:
        nonlocal found
        found = await world.read(made)
        accepted = condition(found, "Accepted")
        settled = condition(found, "Programmed").get("reason") not in ("RollingOut", "NoRouters", "RoutersUnreachable")
        return accepted.get("observedGeneration") == found["metadata"]["generation"] and settled

    await until(spoken, f"the operator speaking of {_name(made)}")
    return found


@pytest.fixture
async def declared(world: World) -> World:
    """All situations applied; nobody has looked at them yet."""
    await world.put_secret(first="one")
    await world.apply(*(made for made, _, _ in SITUATIONS))
    return world


@pytest.fixture(autouse=True)
async def let_go(world: World) -> AsyncIterator[None]:
    """Whatever happens, nothing is held back by the finalizers of this test."""
    yield
    for made, _, _ in SITUATIONS:
        with suppress(KubeError):  # where the test ended before it was made
            await world.kube.merge(path(made), {"metadata": {"finalizers": None}})


@pytest.mark.timeout(120)
async def test_the_operator_changes_no_spec_label_or_annotation_and_what_it_writes_reads_as_it_is(
    declared: World, judge: Judge
) -> None:
    world, config_map = declared, _config_map()
    first = _digests(await _everything(world))
    assert {_name(made) for made, _, _ in SITUATIONS} <= set(first)

    operator = await world.start(routers=1)
    for made, kstatus, health in SITUATIONS:
        found = await _spoken(world, made)
        said = (judge.kstatus(found), judge.health(found, config_map)["status"])
        assert said == (kstatus, health), (_name(made), found["status"])
    assert _digests(await _everything(world)) == first

    # Edits, a failure and its end, a key that is lost; then the operator ends and another comes.
    edited = _labelled(policy("chat", "nobody"))
    await world.apply(edited)
    await world.put_secret(labelled=False, first="two")
    second = _digests(await _everything(world))
    assert {name for name in first if first[name] != second[name]} == {_name(edited), ("Secret", "default", "keys")}
    await world.shows(edited, "ResolvedRefs", "False")
    await world.shows(remote("keyed", HTTPS), "ResolvedRefs", "False")
    await operator.stop()
    await world.kube.request("DELETE", f"/api/v1/namespaces/{SYSTEM}/configmaps/fairlead-snapshot")
    await world.installation.add_operator()
    await world.apply(provider("nobody"))
    await world.shows(edited, "Ready", "True")
    third = _digests(await _everything(world))
    third.pop(("ModelProvider", "default", "nobody"))
    assert third == second

    # What Argo CD sends when somebody takes its action.
    held = SITUATIONS[7][0]
    before = await world.read(held)
    await world.kube.merge(path(held), judge.patch(before, config_map, "resume"))
    await world.shows(held, "Ready", "True", "Ready")
    after = await world.read(held)
    assert after["spec"] == before["spec"]
    assert "annotations" not in after["metadata"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]

    # Being deleted: a finalizer of somebody else holds it, and it says so.
    going = SITUATIONS[5][0]
    await world.delete(going)
    found = await world.read(going)
    assert judge.kstatus(found) == "Terminating"
    assert judge.health(found, config_map) == {"status": "Progressing", "message": "it is being deleted"}
    assert found["metadata"]["finalizers"] == ["example.com/hold"]

    writers = _writers(await _everything(world))
    ours = {
        key: owned
        for key, owned in writers.items()
        if key[0].startswith("fairlead") and key[0] != "fairlead-tests"  # ours, which puts the Secret and ends pauses
    }
    assert {key[1] for key in ours if key[0] == OPERATOR} == KINDS
    assert all(
        subresource == "status" and owned == {"f:status"}
        for (manager, kind, subresource), owned in ours.items()
        if kind in KINDS
    )
    others = {kind for (_, kind, _) in ours} - KINDS
    assert others <= {"ConfigMap", "Secret", "Lease", "Event"}
    assert {(manager, kind) for (manager, kind, _) in writers if kind in KINDS and manager != "fairlead-tests"} == {
        (manager, kind) for manager in (USER, OPERATOR) for kind in KINDS
    }


def _config_map() -> dict[str, str]:
    data: dict[str, str] = yaml.safe_load(CONFIG_MAP.read_text())["data"]
    return data


def _writers(items: list[Object]) -> dict[tuple[str, str, str], set[str]]:
    """By manager, kind and subresource, the blocks of an object that somebody owns."""
    result: dict[tuple[str, str, str], set[str]] = {}
    for item in items:
        for each in item["metadata"].get("managedFields", []):
            key = each["manager"], item["kind"], each.get("subresource", "")
            result.setdefault(key, set()).update(each["fieldsV1"])
            written_by_us = key[0].startswith("fairlead") and key[0] != "fairlead-tests"
            if written_by_us and item["kind"] not in KINDS and item["kind"] != "Event":
                assert _name(item) in OWN, f"{key[0]} wrote {_name(item)}"
    return result
