"""Helm, and one control plane for all tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.control_plane import ControlPlane
from devcluster.installation import ROOT
from tests.chart.helm import SYSTEM, Helm, make_helm

TEAMS = ("team-a", "team-b")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Without a cluster."""
    return make_helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Shared: leave it as it was. The release's namespace admits nothing but `restricted` pods; teams have one each."""
    running = ControlPlane(tmp_path_factory.mktemp("control-plane"))

    async def start() -> None:
        await running.start()
        for name in (SYSTEM, *TEAMS):
            await running.kubectl("create", "namespace", name)
        await running.kubectl("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
        await running.kubectl("-n", SYSTEM, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")

    try:
        asyncio.run(start())
        yield running
    finally:
        asyncio.run(running.stop())


@pytest.fixture
def cluster_helm(control_plane: ControlPlane, tmp_path: Path) -> Helm:
    """Helm as the administrator of ``control_plane``."""
    return make_helm(tmp_path / "helm", control_plane.admin_kubeconfig)


@pytest.fixture
async def kinds(control_plane: ControlPlane) -> None:
    """The CRDs, without a release that they belong to. They stay: taking them away is slow at times."""
    await control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", ROOT / "crds")
    await control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
