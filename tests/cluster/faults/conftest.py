"""Worlds to break, and the table of what came of it.

``FAIRLEAD_WRITE_DOCS=1 pytest tests/cluster/faults -n 2`` writes the measured recoveries to ``docs/operations.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from devcluster.installation import Installation
from tests.cluster.faults.table import FAULTS
from tests.cluster.faults.world import Record, World, world_on


def pytest_configure(config: pytest.Config) -> None:
    """What is measured goes into the table."""
    FAULTS.join(config)


@pytest.fixture
def record(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Record:
    """Puts the outcome of the test beside the words of its mark."""

    def put(recovery_seconds: float, failed_requests: int) -> None:
        record_property(*FAULTS.property_of(request, str(failed_requests), f"{recovery_seconds:.1f} s"))

    return put


@pytest.fixture
async def world(installation: Installation, record: Record) -> AsyncIterator[World]:
    """On the control plane that tests share."""
    async with world_on(installation, record) as made:
        yield made


@pytest.fixture
async def own_world(own_installation: Installation, record: Record) -> AsyncIterator[World]:
    """On a control plane that the test may break."""
    async with world_on(own_installation, record) as made:
        yield made
