"""Who may write what: people the spec, the operator the status, and several people parts of one spec."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devcluster.control_plane import ControlPlane
from fairlead_crds.generate.crd import PENDING
from fairlead_crds.kinds import API_VERSION
from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from tests.cluster.api.api_requests import NAMESPACE, administrator, collection, placed
from tests.crds.crd_objects import MODEL_REF, SMALL, Object

READY: Object = {
    "type": "Ready",
    "status": "True",
    "reason": "Ready",
    "message": "",
    "lastTransitionTime": "2026-03-01T00:00:00Z",
}


@pytest.fixture
async def client(api: ControlPlane) -> AsyncIterator[KubeClient]:
    """The administrator; what was made is deleted."""
    async with administrator(api) as client:
        yield client
        for kind in SMALL:
            await client.request("DELETE", collection(kind))


def _part(kind: str, name: str, **content: Any) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **content}


async def _apply_status(client: KubeClient, kind: str, name: str, status: Any) -> Object:
    return await client.apply(
        f"{collection(kind)}/{name}/status", _part(kind, name, status=status), manager="fairlead-operator-status"
    )


@pytest.mark.parametrize("kind", SMALL)
async def test_a_status_counts_only_where_statuses_are_written(client: KubeClient, kind: str) -> None:
    path = f"{collection(kind)}/one"
    created = await client.create(collection(kind), {**placed(SMALL[kind], "one"), "status": {"conditions": [READY]}})
    assert created["status"] == {"conditions": [PENDING]}
    assert (await client.merge(path, {"status": {"observedGeneration": 1}}))["status"] == created["status"]
    with_status = await _apply_status(client, kind, "one", {"observedGeneration": 1, "conditions": [READY]})
    assert with_status["status"]["conditions"] == [READY]
    assert with_status["metadata"]["generation"] == 1
    assert with_status["spec"] == created["spec"]


async def test_only_a_change_of_spec_is_a_new_generation(client: KubeClient) -> None:
    path = f"{collection('RoutingPolicy')}/one"
    await client.create(collection("RoutingPolicy"), placed(SMALL["RoutingPolicy"], "one"))
    labelled = await client.merge(path, {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    raised = await client.merge(path, {"spec": {"priority": 5}})
    assert raised["metadata"]["generation"] == 2
    unchanged = await client.merge(path, {"spec": {"priority": 5}})
    assert unchanged["metadata"]["resourceVersion"] == raised["metadata"]["resourceVersion"]
    spec_by_status = await client.request(
        "PATCH", f"{path}/status", {}, {"spec": {"priority": 9}}, "application/merge-patch+json"
    )
    assert spec_by_status["spec"]["priority"] == 5


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        ({"conditions": [{"type": "Accepted"}]}, "status.conditions[1].reason: Required value"),
        ({"conditions": [READY | {"status": "Perhaps"}]}, 'Unsupported value: "Perhaps"'),
        ({"conditions": [READY | {"message": "x" * 4097}]}, "Too long: may not be more than 4096"),
        ({"conditions": [READY | {"type": f"T{n}"} for n in range(16)]}, "Too many: 17: must have at most 16 items"),
        ({"conditions": [READY, READY]}, 'duplicate entries for key [type="Ready"]'),
        ({"modelCount": -1}, "should be greater than or equal to 0"),
        ({"modelCount": "1"}, "expected numeric"),
        ({"noSuchField": 1}, "field not declared in schema"),
        ({"endpoints": [{"name": "a", "errorPercent": "many"}]}, "should match"),
    ],
    ids=lambda part: str(part)[:40],
)
async def test_a_status_that_no_reader_could_trust_is_refused(
    client: KubeClient, status: Object, complaint: str
) -> None:
    await client.create(collection("ModelProvider"), placed(SMALL["ModelProvider"], "one"))
    with pytest.raises(KubeError) as refused:
        await _apply_status(client, "ModelProvider", "one", status)
    assert refused.value.status in {400, 422, 500}
    assert complaint in refused.value.message


def _target(name: str, weight: int) -> Object:
    return {"name": name, "modelRef": MODEL_REF, "weight": weight}


async def test_two_people_own_different_targets_of_one_policy(client: KubeClient) -> None:
    path = f"{collection('RoutingPolicy')}/shared"
    for manager, name in (("red", "red-model"), ("blue", "blue-model")):
        body = _part("RoutingPolicy", "shared", spec={"targets": [_target(name, 10)]})
        await client.apply(path, body, manager=manager, force=False)
    merged = await client.get(path)
    assert [target["name"] for target in merged["spec"]["targets"]] == ["red-model", "blue-model"]
    others = _part("RoutingPolicy", "shared", spec={"targets": [_target("red-model", 99)]})
    with pytest.raises(KubeError) as refused:
        await client.apply(path, others, manager="blue", force=False)
    assert refused.value.conflict
    assert '.spec.targets[name="red-model"].weight' in refused.value.message
    left = await client.apply(path, _part("RoutingPolicy", "shared", spec={"targets": []}), manager="red", force=False)
    assert [target["name"] for target in left["spec"]["targets"]] == ["blue-model"]


async def test_two_people_own_different_models_of_one_provider(client: KubeClient) -> None:
    path = f"{collection('ModelProvider')}/shared"
    base = {"type": "Simulated", "models": [{"name": "a"}]}
    await client.apply(path, _part("ModelProvider", "shared", spec=base), manager="red", force=False)
    more = {"models": [{"name": "b", "tags": ["new"]}]}
    merged = await client.apply(path, _part("ModelProvider", "shared", spec=more), manager="blue", force=False)
    assert [model["name"] for model in merged["spec"]["models"]] == ["a", "b"]
    assert merged["spec"]["type"] == "Simulated"


async def test_two_writers_own_different_conditions_of_one_status(client: KubeClient) -> None:
    await client.create(collection("ModelProvider"), placed(SMALL["ModelProvider"], "one"))
    await _apply_status(client, "ModelProvider", "one", {"conditions": [READY]})
    theirs = _part("ModelProvider", "one", status={"conditions": [READY | {"type": "Audited"}]})
    merged = await client.apply(f"{collection('ModelProvider')}/one/status", theirs, manager="audit", force=False)
    assert {item["type"] for item in merged["status"]["conditions"]} == {"Ready", "Audited"}
    without = await _apply_status(client, "ModelProvider", "one", {"conditions": []})
    assert {item["type"] for item in without["status"]["conditions"]} == {"Audited"}


async def test_applying_the_same_files_twice_changes_nothing(
    client: KubeClient, api: ControlPlane, tmp_path: Path
) -> None:
    file = tmp_path / "all.json"
    items = [placed(document, "twice") for document in SMALL.values()]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    versions = []
    await api.kubectl("apply", "--server-side", "-f", file)
    # The first write after the creation stores the default of the status, unless the operator was there before.
    for _ in range(2):
        await api.kubectl("apply", "--server-side", "-f", file)
        versions.append(
            [(await client.get(f"{collection(kind)}/twice"))["metadata"]["resourceVersion"] for kind in SMALL]
        )
    assert versions[0] == versions[1]
    assert await api.kubectl("diff", "--server-side", "-f", file) == ""
