"""The elector against an API server that answers slowly."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from fairlead_kube.access import KubeAccess
from fairlead_kube.client import KubeClient
from fairlead_operator.lead.elector import Elector


class LeaseServer:
    """One Lease on the wire; each write can be made to take long."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.slow: list[float] = []

    async def get(self, _: web.Request) -> web.Response:
        if self.lease is None:
            return web.json_response({"kind": "Status", "code": 404, "reason": "NotFound"}, status=404)
        return web.json_response(self.lease)

    async def write(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.slow:
            await asyncio.sleep(self.slow.pop(0))
        self.version += 1
        self.lease = {**body, "metadata": {"name": "lease", "resourceVersion": str(self.version)}}
        return web.json_response(self.lease)


@pytest.fixture
async def server() -> AsyncIterator[tuple[LeaseServer, str]]:
    leases = LeaseServer()
    app = web.Application()
    collection = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    app.router.add_post(collection, leases.write)
    app.router.add_get(f"{collection}/lease", leases.get)
    app.router.add_put(f"{collection}/lease", leases.write)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield leases, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_who_lost_the_lead_by_a_slow_renewal_hears_that_it_leads_again(server: tuple[LeaseServer, str]) -> None:
    """Leadership lapses by time while a renewal is on its way, and the renewal succeeds: nothing but a wake-up tells."""
    leases, url = server
    async with KubeClient(KubeAccess(url), user_agent="test") as client:
        elector = Elector(
            client,
            "ns",
            "lease",
            "one",
            3.0,
            monotonic=time.monotonic,
            wall=lambda: datetime.datetime.now(datetime.UTC),
        )
        running = asyncio.create_task(elector.run())
        try:
            async with asyncio.timeout(10):
                await _woken_until(elector, leads=True)
                leases.slow = [0.9, 0.9]
                while elector.leads:  # noqa: ASYNC110 - it lapses by time alone, so there is nothing to wait for
                    await asyncio.sleep(0.01)
                await _woken_until(elector, leads=True)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _woken_until(elector: Elector, *, leads: bool) -> None:
    """As the operator waits: asleep between signals."""
    while elector.leads is not leads:
        elector.changed.clear()
        if elector.leads is not leads:
            await elector.changed.wait()
