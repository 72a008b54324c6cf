"""An installation with hands and eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devcluster.installation import Installation
from tests.cluster.operator.world import World, world_of


@pytest.fixture
async def world(installation: Installation) -> AsyncIterator[World]:
    """No operator and no router yet."""
    async with world_of(installation) as made:
        yield made
