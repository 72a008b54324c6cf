"""A small installation with traffic on it, whose API server is reached through a proxy that fails on demand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from devcluster.control_plane import ControlPlane, KubectlFailed
from devcluster.fault_proxy import FaultProxy
from devcluster.installation import Installation, Router
from devcluster.processes import Process
from tests.cluster.faults.objects import policy, provider
from tests.cluster.faults.traffic import Traffic, WrongAnswer, ask

RECOVERY_SECONDS = 30.0
_POLL_SECONDS = 0.25

Record = Callable[[float, int], None]
"""Told of the recovery in seconds and of the number of failed requests."""
Running = frozenset[tuple[str, str, str, str, int]]
"""Kind, namespace, name, UID and generation of all objects."""


@dataclass(slots=True)
class World:
    """Two routers and an operator on providers ``first`` and ``second``; the policy ``everything`` sends all to ``first``."""

    control_plane: ControlPlane
    installation: Installation
    proxy: FaultProxy
    http: aiohttp.ClientSession
    traffic: Traffic
    record: Record

    @property
    def operator(self) -> Process:
        """The first one."""
        return self.installation.operators[0]

    @property
    def routers(self) -> list[Router]:
        """Both."""
        return self.installation.routers

    async def apply(self, *objects: Mapping[str, Any]) -> float:
        """Declare; returns when, in monotonic seconds."""
        content = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        await self.control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=content)
        return time.monotonic()

    async def delete(self, *arguments: str) -> float:
        """``kubectl delete``, without waiting for the end of it; returns when."""
        await self.control_plane.kubectl("delete", "--wait=false", *arguments)
        return time.monotonic()

    async def recovered(self, since: float, answered_by: str) -> None:
        """The end of a fault: converged in time, and no request has failed from the beginning. Both are recorded."""
        seconds = await self.converged(since, answered_by)
        await self.traffic.stop()
        self.record(seconds, len(self.traffic.failures))
        assert not self.traffic.failures, self.traffic.failures[:5]
        assert self.traffic.answered > 10

    async def converged(self, since: float, answered_by: str) -> float:
        """Seconds after ``since`` at which every status was settled, and every router ran exactly what is declared and let
        ``answered_by`` (``namespace/provider``) answer.
        """
        while True:
            wrong = await self.wrong(answered_by)
            seconds = time.monotonic() - since
            if not wrong:
                return seconds
            assert seconds < RECOVERY_SECONDS, "\n".join([*wrong, self.operator.log_tail()])
            await asyncio.sleep(_POLL_SECONDS)

    async def wrong(self, answered_by: str) -> list[str]:
        """What is not as it should be."""
        try:
            found = await self.installation.unsettled()
            declared = await self.declared()
        except KubectlFailed as failed:
            return [str(failed)]
        for router in self.routers:
            runs = running(await router.config(self.http))
            found += [f"{router.url} does not run {each}" for each in declared - runs]
            found += [f"{router.url} runs the phantom {each}" for each in runs - declared]
            found += await self._answers_wrongly(router, answered_by)
        return found

    async def declared(self) -> Running:
        """As the API server has it."""
        said = await self.control_plane.kubectl("get", "modelproviders,routingpolicies", "-A", "--output=json")
        return frozenset(_identity(item["kind"], item["metadata"]) for item in json.loads(said)["items"])

    async def _answers_wrongly(self, router: Router, answered_by: str) -> list[str]:
        try:
            model = await ask(self.http, router)
        except (WrongAnswer, TimeoutError, aiohttp.ClientError) as error:
            return [f"{router.url}: {error!r}"]
        return [] if model.startswith(f"{answered_by}/") else [f"{router.url}: {model} answered"]


@asynccontextmanager
async def world_on(installation: Installation, record: Record) -> AsyncIterator[World]:
    """A world on an installation that has no processes yet, converged and with traffic."""
    control_plane = installation.control_plane
    async with (
        FaultProxy(control_plane.url, control_plane.ssl_context()) as proxy,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        installation.server = proxy.url
        for _ in range(2):
            await installation.add_router()
        await installation.add_operator()
        objects = [provider("first"), provider("second"), policy("everything", "first")]
        content = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        await control_plane.kubectl("apply", "--server-side", "-f", "-", input=content)
        for router in installation.routers:
            await eventually(partial(_started, router), f"{router.process.name} is ready")
        await installation.wait_until_converged()
        traffic = Traffic(http, installation.routers)
        try:
            yield World(control_plane, installation, proxy, http, traffic, record)
        finally:
            await traffic.stop()
            await installation.stop()


async def _started(router: Router) -> bool:
    """Its port may be taken between choosing it and listening, by any client's connection: then it is tried again."""
    router.process.start()
    return await router.ready()


def running(config: Mapping[str, Any]) -> Running:
    """What a router says it runs."""
    return frozenset(
        _identity(kind, fragment)
        for kind, section in (("ModelProvider", "providers"), ("RoutingPolicy", "policies"))
        for fragment in config.get(section, ())
    )


def _identity(kind: str, metadata: Mapping[str, Any]) -> tuple[str, str, str, str, int]:
    return (kind, metadata["namespace"], metadata["name"], metadata["uid"], int(metadata["generation"]))


async def eventually(holds: Callable[[], Any], what: str, seconds: float = RECOVERY_SECONDS) -> Any:
    """Wait until the coroutine function ``holds`` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := await holds()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(_POLL_SECONDS)
    return found


async def lasting(seconds: float, since: float) -> None:
    """Let a fault last ``seconds`` from ``since`` on."""
    await asyncio.sleep(max(0.0, since + seconds - time.monotonic()))
