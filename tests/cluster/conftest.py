"""A real control plane for each test process, and a clean installation of Fairlead on it for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devcluster.control_plane import ControlPlane, running_control_plane
from devcluster.installation import SYSTEM, Installation

TEST_LABEL = "fairlead-test"
_KINDS = "modelproviders,routingpolicies,abtests,workspacebudgets"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Shared by the tests of one process: leave it as it was, or use ``own_control_plane``."""
    running = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        asyncio.run(running.start())
        yield running
    finally:
        asyncio.run(running.stop())


@pytest.fixture
async def own_control_plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """One that the test may break."""
    async with running_control_plane(tmp_path / "own-control-plane") as running:
        yield running


@pytest.fixture
async def installation(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Installation]:
    """CRDs and permissions, no operator and no router yet; everything is taken away again."""
    installed = Installation(control_plane, tmp_path)
    await installed.install()
    try:
        yield installed
    finally:
        await installed.stop()
        await _clean(control_plane)


@pytest.fixture
async def own_installation(own_control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation on ``own_control_plane``."""
    installed = Installation(own_control_plane, tmp_path)
    await installed.install()
    try:
        yield installed
    finally:
        await installed.stop()


async def _clean(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("delete", _KINDS, "--all", "--all-namespaces", "--wait=false")
    await control_plane.kubectl("delete", "secrets", "--all-namespaces", "-l", "fairlead.dev/credentials")
    await control_plane.kubectl("delete", "configmap,secret,lease", "--all", "-n", SYSTEM)
    await control_plane.kubectl("delete", "namespaces", "-l", TEST_LABEL, "--timeout=30s")
