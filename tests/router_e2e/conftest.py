"""Fixtures of the end-to-end tests: fake providers, and a watch for blocking calls and leaked tasks.

The tests run on uvloop, as the router does in production.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import uvloop
from blockbuster import BlockBuster

from tests.redis_fixtures import own_redis, redis_server, running_redis
from tests.router_e2e import harness
from tests.router_e2e.fake_upstream import FakeUpstream, fake_upstream
from tests.router_e2e.scripts import answers

__all__ = ["own_redis", "redis_server", "running_redis"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, for every test of this folder."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def blocking_calls_fail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While a router serves, a blocking call of its code raises; starting and stopping may read files and join threads."""
    watch = BlockBuster(scanned_modules=["fairlead_router", "fairlead_contract"])
    monkeypatch.setattr(harness, "on_serving", watch.activate)
    monkeypatch.setattr(harness, "on_stopping", watch.deactivate)
    yield
    watch.deactivate()


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """Whatever a test did, nothing runs on afterwards."""
    before = asyncio.all_tasks()
    yield
    await harness.eventually(lambda: asyncio.all_tasks() <= before | {_current()}, "every task has ended")


def _current() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that answers ``hello`` unless told otherwise."""
    async with fake_upstream() as server:
        server.default = answers()
        yield server


@pytest.fixture
async def other() -> AsyncIterator[FakeUpstream]:
    """A second provider, which answers ``from the other``."""
    async with fake_upstream() as server:
        server.default = answers("from the other")
        yield server
