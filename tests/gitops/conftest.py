"""The programs that judge, and a real API server for what only that can tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import control_plane, installation
from tests.cluster.operator.conftest import world
from tests.gitops.judge import Judge

__all__ = ["control_plane", "installation", "judge", "world"]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """What Argo CD and kstatus say."""
    running = Judge()
    yield running
    running.close()
