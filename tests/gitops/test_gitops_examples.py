"""The examples are what the CRDs of Argo CD and Flux say they may be, on a real API server, and name what is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.control_plane import ControlPlane, KubectlFailed
from devcluster.installation import ROOT
from tests.chart.helm import make_helm
from tests.gitops.argo_files import ARGO, CONFIG_MAP, LAYOUT
from tests.gitops.upstream_crds import upstream_crds

GITOPS = ARGO.parent
EXAMPLES = sorted(path for path in GITOPS.rglob("*.yaml") if not path.is_relative_to(LAYOUT))
APPS = sorted((ARGO / "app-of-apps" / "apps").glob("*.yaml"))
PATCH = ("patch", "configmap", "argocd-cm", "--namespace=argocd", "--type=merge", "--patch-file")
RELEASES = [
    ARGO / "application.yaml",
    ARGO / "app-of-apps" / "apps" / "1-chart.yaml",
    GITOPS / "flux" / "release" / "release.yaml",
]
NAMESPACES = ("argocd", "flux-system", "fairlead-system")


@pytest.fixture(scope="session")
def upstream(control_plane: ControlPlane) -> ControlPlane:
    """Knows the kinds of Argo CD and Flux."""
    asyncio.run(_introduce(control_plane, upstream_crds()))
    return control_plane


async def _introduce(control_plane: ControlPlane, crds: list[Path]) -> None:
    await control_plane.kubectl("apply", "--server-side", *(part for path in crds for part in ("-f", path)))
    await control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
    await control_plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(spaces))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(GITOPS)))
async def test_the_api_server_takes_the_example(path: Path, upstream: ControlPlane) -> None:
    await upstream.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)


async def test_the_api_server_would_refuse_an_example_with_a_mistake(upstream: ControlPlane) -> None:
    broken = (ARGO / "application.yaml").read_text().replace("targetRevision:", "targetRevisoin:")
    with pytest.raises(KubectlFailed, match="targetRevisoin"):
        await upstream.kubectl(
            "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=broken
        )


async def test_the_customizations_leave_what_else_argocd_cm_holds_alone(upstream: ControlPlane) -> None:
    ours = (await _data(upstream, {"url": "https://argo.example.com"})) - {"url"}
    assert len(ours) == 8
    assert all(key.startswith("resource.customizations.") and ".fairlead.dev_" in key for key in ours)


async def _data(upstream: ControlPlane, before: dict[str, str]) -> set[str]:
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": before}
    await upstream.kubectl("apply", "-f", "-", input=yaml.safe_dump(theirs))
    await upstream.kubectl(*PATCH, CONFIG_MAP)
    found = yaml.safe_load(await upstream.kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "yaml"))[
        "data"
    ]
    assert before.items() <= found.items()
    return set(found)


def _documents(*paths: Path) -> list[dict[str, Any]]:
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: str(path.relative_to(GITOPS)))
async def test_the_chart_takes_the_values_of_the_example(path: Path, tmp_path: Path) -> None:
    """Argo CD renders again and again without a cluster: whatever were new each time, it would apply each time."""
    helm = make_helm(tmp_path)
    (release,) = [each for each in _documents(path) if each["kind"] in {"Application", "HelmRelease"}]
    argo = release["kind"] == "Application"
    values = release["spec"]["source"]["helm"]["valuesObject"] if argo else release["spec"]["values"]
    rendered = [await helm.render(values), await helm.render(values)]
    assert rendered[0]
    if argo:
        assert rendered[0] == rendered[1]


def test_the_waves_bring_kinds_then_chart_then_providers_then_policies() -> None:
    waves = {int(app["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]): app for app in _documents(*APPS)}
    names = [waves[wave]["metadata"]["name"] for wave in sorted(waves)]
    assert names == ["fairlead-crds", "fairlead", "fairlead-providers", "fairlead-policies"]


def test_flux_brings_them_in_the_same_order() -> None:
    kustomizations = [
        each for each in _documents(*sorted((GITOPS / "flux").glob("*.yaml"))) if each["kind"] == "Kustomization"
    ]
    needs = {
        each["metadata"]["name"]: [other["name"] for other in each["spec"].get("dependsOn", [])]
        for each in kustomizations
    }
    assert needs == {
        "fairlead-crds": [],
        "fairlead": ["fairlead-crds"],
        "fairlead-providers": ["fairlead"],
        "fairlead-policies": ["fairlead-providers"],
    }


@pytest.mark.parametrize(
    "path", [*APPS, ARGO / "app-of-apps" / "root.yaml", ARGO / "application.yaml"], ids=lambda p: p.name
)
def test_an_application_names_a_folder_of_this_repository(path: Path) -> None:
    (application,) = _documents(path)
    source = application["spec"]["source"]
    folder = ROOT / source["path"]
    assert folder.is_dir()
    included = source.get("directory", {}).get("include", "*.yaml")
    assert list(folder.glob(included))
