"""A release at a real API server: installed, upgraded, uninstalled. Without a kubelet, nothing runs."""

from __future__ import annotations

import json

import pytest

from devcluster.control_plane import ControlPlane
from tests.chart.conftest import TEAMS
from tests.chart.helm import CHART, SYSTEM, Helm, HelmFailed


@pytest.mark.timeout(150)  # CRDs may take half a minute to go
@pytest.mark.usefixtures("kinds")
async def test_installing_upgrading_and_uninstalling_leaves_nothing_but_the_kinds(
    control_plane: ControlPlane, cluster_helm: Helm
) -> None:
    kubectl = control_plane.kubectl
    # As docs/chart.md has it: CRDs that were applied by hand are handed over to the release.
    await kubectl("label", "crd", "--all", "--overwrite", "app.kubernetes.io/managed-by=Helm")
    owner = ("meta.helm.sh/release-name=fairlead", f"meta.helm.sh/release-namespace={SYSTEM}")
    await kubectl("annotate", "crd", "--all", "--overwrite", *owner)
    before = await _everything(control_plane)
    at = ("fairlead", CHART, "--namespace", SYSTEM)
    values = {"redis": {"enabled": True, "persistence": {"enabled": False}}, "simulatedProvider": {"enabled": True}}
    notes = await cluster_helm.run("install", *at, values=values)
    assert "kubectl -n default apply -f -" in notes
    keys = await _data(control_plane, "secret", "fairlead-router-keys")
    password = await _data(control_plane, "secret", "fairlead-redis")
    assert all(len(key) >= 64 for key in keys.values())

    # Somebody's older CRD: an upgrade brings it up to date.
    crd = "crd/modelproviders.fairlead.dev"
    await kubectl("patch", crd, "--type=json", "-p", '[{"op": "remove", "path": "/spec/names/shortNames"}]')
    assert await kubectl("get", crd, "-o", "jsonpath={.spec.names.shortNames}") == ""
    router = await kubectl("-n", SYSTEM, "get", "deployment/fairlead-router", "-o", "jsonpath={.metadata.generation}")
    await cluster_helm.run("upgrade", *at, values=values)
    assert await kubectl("get", crd, "-o", "jsonpath={.spec.names.shortNames}") == '["mprov"]'
    assert await _data(control_plane, "secret", "fairlead-router-keys") == keys
    assert await _data(control_plane, "secret", "fairlead-redis") == password
    again = await kubectl("-n", SYSTEM, "get", "deployment/fairlead-router", "-o", "jsonpath={.metadata.generation}")
    assert again == router, "an upgrade that changes nothing replaces no router"

    await cluster_helm.run("uninstall", "fairlead", "--namespace", SYSTEM, "--wait")
    assert await _everything(control_plane) == before, "the CRDs stay, and nothing else"

    # Kept CRDs are taken over again by the next installation of the same name.
    await cluster_helm.run("install", *at, values={"crds": {"keep": False}})
    await cluster_helm.run("uninstall", "fairlead", "--namespace", SYSTEM, "--wait")
    kinds = {"abtests", "modelproviders", "routingpolicies", "workspacebudgets"}
    crds = {f"customresourcedefinition.apiextensions.k8s.io/{kind}.fairlead.dev" for kind in kinds}
    assert await _everything(control_plane) == before - crds


@pytest.mark.usefixtures("kinds")
async def test_a_helm_test_that_fails_leaves_its_pod_for_the_log_and_no_model_for_clients(
    control_plane: ControlPlane, cluster_helm: Helm
) -> None:
    at = ("--namespace", SYSTEM)
    await cluster_helm.run("install", "fairlead", CHART, *at, values={"crds": {"enabled": False}})
    try:
        with pytest.raises(HelmFailed, match="timed out"):
            await cluster_helm.run("test", "fairlead", *at, "--timeout", "3s")
        found = await control_plane.kubectl("get", *_OF_THE_TEST, "-o", "name")
        assert found.split() == ["pod/fairlead-test"]
    finally:
        await cluster_helm.run("uninstall", "fairlead", *at)
        await control_plane.kubectl("delete", *_OF_THE_TEST, "--force")


_OF_THE_TEST = ("pods,modelproviders", "--namespace", SYSTEM, "--selector", "app.kubernetes.io/component=test")
_CLUSTER = "crd,clusterroles,clusterrolebindings,persistentvolumes,priorityclasses"
_INSIDE = (
    "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,persistentvolumeclaims,"
    "ingresses,leases,endpointslices"
)


async def _everything(control_plane: ControlPlane) -> set[str]:
    """All objects that a release could leave, by kind and name."""
    found = await control_plane.kubectl("get", _CLUSTER, "-o", "name")
    for namespace in (SYSTEM, *TEAMS):
        found += await control_plane.kubectl("-n", namespace, "get", _INSIDE, "-o", "name")
    return set(found.split())


async def _data(control_plane: ControlPlane, kind: str, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(await control_plane.kubectl("-n", SYSTEM, "get", kind, name, "-o", "json"))[
        "data"
    ]
    return found
