"""A real Redis for the tests of one process. The ``conftest.py`` of a folder that needs it imports these fixtures."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devcluster.redis_server import RedisServer


@pytest.fixture(scope="session")
def running_redis() -> Iterator[RedisServer]:
    """Shared by the tests of one process, which must neither stop it nor leave keys: use ``redis_server``."""
    folder = short_folder()
    server = RedisServer(folder)
    try:
        asyncio.run(server.start())
        yield server
    finally:
        asyncio.run(server.stop())
        shutil.rmtree(folder)


@pytest.fixture
async def redis_server(running_redis: RedisServer) -> RedisServer:
    """A Redis that holds nothing; leave it running."""
    await running_redis.flush()
    return running_redis


@pytest.fixture
async def own_redis() -> AsyncIterator[RedisServer]:
    """A Redis that the test may stop, start and pause."""
    folder = short_folder()
    server = RedisServer(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder)


def short_folder() -> Path:
    """The path of a Unix socket has at most 107 bytes; pytest's folders are longer."""
    return Path(tempfile.mkdtemp(prefix="fairlead-redis-"))
