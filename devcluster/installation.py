"""Fairlead on a control plane: CRDs, permissions, one operator or several, routers, all as processes of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from devcluster.control_plane import ControlPlane, free_ports, running_control_plane
from devcluster.processes import Process

SYSTEM = "fairlead-system"
ROOT = Path(__file__).parent.parent
_FAIRLEAD = Path(sys.executable).with_name("fairlead")
_TOKEN_SECONDS = 365 * 24 * 3600  # no kubelet renews it
_SECOND = aiohttp.ClientTimeout(total=2)


@dataclass(slots=True)
class Router:
    """One router process."""

    process: Process
    port: int
    admin_port: int

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> str:
        """Where ``/-/config`` is."""
        return f"http://127.0.0.1:{self.admin_port}"

    async def config(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """What it runs; empty while it does not answer."""
        try:
            async with http.get(f"{self.admin}/-/config", timeout=_SECOND) as answer:
                found: dict[str, Any] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError, OSError):
            return {}

    async def ready(self) -> bool:
        """Whether it has a configuration."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self.url}/health/ready", timeout=_SECOND) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


@dataclass(slots=True)
class Installation:
    """What ``make dev-cluster`` and the tests start. ``directory`` holds logs, tokens and last-good files."""

    control_plane: ControlPlane
    directory: Path
    server: str | None = None
    """Address that operator and routers use for the API server instead of its own, as for a proxy between them."""
    operators: list[Process] = field(default_factory=list)
    routers: list[Router] = field(default_factory=list)

    async def install(self) -> None:
        """CRDs and permissions. Twice is harmless."""
        apply = ("apply", "--server-side", "--force-conflicts")
        await self.control_plane.kubectl(*apply, "-f", ROOT / "crds", "-f", ROOT / "devcluster" / "manifests")
        names = [f"crd/{path.name.removesuffix('.yaml')}" for path in sorted((ROOT / "crds").glob("*.yaml"))]
        await self.control_plane.kubectl("wait", "--for=condition=Established", *names, "--timeout=30s")

    async def add_operator(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        """A further operator, with the permissions of its ServiceAccount. Without waiting for anything."""
        number = len(self.operators)
        token = await self.control_plane.token(SYSTEM, "fairlead-operator", _TOKEN_SECONDS)
        kubeconfig = self.control_plane.write_kubeconfig(
            self.directory / f"operator-{number}.kubeconfig", server=self.server, token=token, namespace=SYSTEM
        )
        process = Process(
            f"operator-{number}",
            [
                *(_FAIRLEAD, "operator", "--kubeconfig", kubeconfig, "--secret-namespaces", "*"),
                *("--platform-namespaces", f"{SYSTEM},default", "--http-port", str(free_port())),
                *("--routers", ",".join(router.admin for router in self.routers)),
                *arguments,
            ],
            self.directory / f"operator-{number}.log",
            {**os.environ, "FAIRLEAD_DEFAULT_NAMESPACE": "default", **(environment or {})},
        )
        process.start()
        self.operators.append(process)
        return process

    async def add_router(
        self,
        *arguments: str,
        port: int | None = None,
        admin_port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Router:
        """A further router that reads what is published, with the permissions of its ServiceAccount."""
        number = len(self.routers)
        token_file = self.directory / f"router-{number}.token"
        token_file.touch(mode=0o600)
        token_file.write_text(await self.control_plane.token(SYSTEM, "fairlead-router", _TOKEN_SECONDS))
        port, admin_port = port or free_port(), admin_port or free_port()
        process = Process(
            f"router-{number}",
            [
                *(_FAIRLEAD, "serve", "--kubernetes", "--namespace", SYSTEM),
                *("--last-good-dir", self.directory / f"router-{number}.last-good"),
                *("--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin_port)),
                *("--allow-networks", "loopback", "--no-access-log", *arguments),
            ],
            self.directory / f"router-{number}.log",
            {
                **os.environ,
                "FAIRLEAD_KUBE_SERVER": self.server or self.control_plane.url,
                "FAIRLEAD_KUBE_CA_FILE": str(self.control_plane.ca_file),
                "FAIRLEAD_KUBE_TOKEN_FILE": str(token_file),
                **(environment or {}),
            },
        )
        process.start()
        router = Router(process, port, admin_port)
        self.routers.append(router)
        return router

    async def wait_until_converged(self, timeout: float = 30.0) -> float:
        """Until every object of ours is settled at its generation; returns the seconds. Raises ``TimeoutError``, and says
        which objects are not.
        """
        started = time.monotonic()
        while True:
            left = await self.unsettled()
            if not left:
                return time.monotonic() - started
            if time.monotonic() - started > timeout:
                raise TimeoutError("not settled: " + "; ".join(left[:10]))
            await asyncio.sleep(0.2)

    async def unsettled(self) -> list[str]:
        """Objects whose status does not speak of their generation, or that routers are not known to run."""
        kinds = "modelproviders,routingpolicies,abtests,workspacebudgets"
        found = await self.control_plane.kubectl("get", kinds, "--all-namespaces", "--output=json")
        result = []
        for item in json.loads(found)["items"]:
            metadata, status = item["metadata"], item.get("status") or {}
            conditions = {each["type"]: each for each in status.get("conditions") or ()}
            programmed, stalled = conditions.get("Programmed", {}), conditions.get("Stalled", {})
            settled = programmed.get("status") == "True" or stalled.get("status") == "True"
            if status.get("observedGeneration") != metadata["generation"] or not settled:
                said = f"{programmed.get('reason')}: {programmed.get('message')}"
                result.append(f"{item['kind']} {metadata['namespace']}/{metadata['name']}: {said}")
        return result

    async def stop(self) -> None:
        """End operators and routers."""
        running = [*self.operators, *(router.process for router in self.routers)]
        await asyncio.gather(*(process.stop() for process in running))


@asynccontextmanager
async def running_installation(
    directory: Path,
    *,
    routers: int = 2,
    api_server_flags: Sequence[str] = (),
) -> AsyncIterator[Installation]:
    """A control plane with CRDs, permissions and routers, no operator yet; all of it is stopped at the end.

    Raises what ``running_control_plane`` raises.
    """
    async with running_control_plane(directory / "control-plane", api_server_flags=api_server_flags) as control_plane:
        installation = Installation(control_plane, directory)
        try:
            await installation.install()
            for _ in range(routers):
                await installation.add_router()
            yield installation
        finally:
            await installation.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    (port,) = free_ports(1)
    return port
