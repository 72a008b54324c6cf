"""Real routers with everything switched on that has metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.redis_fixtures import redis_server, running_redis
from tests.router_e2e.fake_upstream import FakeUpstream, fake_upstream
from tests.router_e2e.scripts import answers

__all__ = ["redis_server", "running_redis"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that answers ``hello`` unless told otherwise."""
    async with fake_upstream() as server:
        server.default = answers()
        yield server
