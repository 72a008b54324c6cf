"""The CRDs and permissions on a real API server. Nothing that a test of this folder makes outlives it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devcluster.control_plane import ControlPlane
from devcluster.installation import Installation


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """The control plane of this process, which knows the kinds of this checkout."""
    directory: Path = tmp_path_factory.mktemp("api")
    asyncio.run(Installation(control_plane, directory).install())
    return control_plane
