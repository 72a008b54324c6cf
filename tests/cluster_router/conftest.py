"""One control plane for all tests of this folder, a namespace for each of them, and uvloop, as in production."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import uvloop

from devcluster.control_plane import ControlPlane
from tests.cluster_router.publishing import Publisher
from tests.router_e2e.fake_upstream import FakeUpstream, fake_upstream
from tests.router_e2e.scripts import answers

_NAMESPACES = itertools.count()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, for every test of this folder."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and an API server."""
    control_plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), controller_manager=False)
    with asyncio.Runner() as runner:
        try:
            runner.run(control_plane.start())
            yield control_plane
        finally:
            runner.run(control_plane.stop())


@pytest.fixture
async def cluster(shared_cluster: ControlPlane) -> ControlPlane:
    """All of it running, whatever the test before did."""
    await shared_cluster.start()
    return shared_cluster


@pytest.fixture
async def publisher(cluster: ControlPlane) -> AsyncIterator[Publisher]:
    """Publishes as the operator does, in a namespace of its own."""
    async with Publisher(cluster, f"routers-{next(_NAMESPACES)}") as made:
        yield made


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A provider that answers ``hello`` unless told otherwise."""
    async with fake_upstream() as server:
        server.default = answers()
        yield server
