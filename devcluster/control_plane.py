"""etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1, and what tests do to them.

Nothing here belongs to an event loop: one control plane may serve tests that have a loop each.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from devcluster.binaries import find_binaries
from devcluster.certificates import Certificates, Pair, make_certificates
from devcluster.kubeconfig import write_kubeconfig
from devcluster.processes import Process

SERVICE_RANGE = "10.96.0.0/16"
"""Of ClusterIPs."""
# Below the ports that Linux hands out to clients: one of them could otherwise take that of a server that is being restarted.
_PORTS = range(20_000, 32_000)
_SECOND = aiohttp.ClientTimeout(total=1)
_MINUTE = aiohttp.ClientTimeout(total=60)


class KubectlFailed(Exception):
    """kubectl ended with an error; the message holds the command and what it said."""


class ControlPlane:
    """A control plane whose files are in ``directory``: ``pki/``, ``etcd/``, a log per program, ``admin.kubeconfig``.

    ``running_control_plane`` makes, starts and stops it. ``etcd``, ``api_server`` and ``controller_manager`` are processes that
    may be stopped, killed, paused and resumed directly; the methods here also wait until all is ready again.
    """

    def __init__(
        self, directory: Path, *, controller_manager: bool = True, api_server_flags: Sequence[str] = ()
    ) -> None:
        """Blocks while programs are built. Raises ``ProgramMissing`` and ``CertificatesFailed``."""
        binaries = find_binaries()
        directory.mkdir(parents=True, exist_ok=True)
        certificates = make_certificates(directory / "pki")
        etcd_port, peer_port, secure_port = free_ports(3)
        self.directory = directory
        self.url = f"https://127.0.0.1:{secure_port}"
        self.etcd_url = f"http://127.0.0.1:{etcd_port}"
        self.ca_file = certificates.authority.public
        self.admin = certificates.admin
        self.admin_kubeconfig = directory / "admin.kubeconfig"
        self.write_kubeconfig(self.admin_kubeconfig, certificate=certificates.admin)
        self.kubectl_binary = binaries.kubectl
        self._etcd_data = directory / "etcd"
        peer_url = f"http://127.0.0.1:{peer_port}"
        self.etcd = self._process(binaries.etcd, etcd_flags(self._etcd_data, self.etcd_url, peer_url))
        flags = _api_server_flags(certificates, self.etcd_url, secure_port)
        self.api_server = self._process(binaries.kube_apiserver, [*flags, *api_server_flags])
        self.controller_manager: Process | None = None
        if controller_manager:
            kubeconfig = directory / "controller-manager.kubeconfig"
            self.write_kubeconfig(kubeconfig, certificate=certificates.controller_manager)
            flags = controller_manager_flags(certificates, kubeconfig)
            self.controller_manager = self._process(binaries.kube_controller_manager, flags)

    def _process(self, binary: Path, flags: Sequence[str]) -> Process:
        return Process(binary.name, [binary, *flags], self.directory / f"{binary.name}.log")

    async def start(self) -> None:
        """Start what does not run and wait until it is ready. Raises ``ProcessFailed``."""
        await self.start_etcd()
        self.api_server.start()
        if self.controller_manager:
            self.controller_manager.start()
        await self.wait_ready()

    async def stop(self) -> None:
        """Kill everything but etcd, which is stopped; the data stays in ``directory``."""
        if self.controller_manager:
            await self.controller_manager.kill()
        await self.kill_api_server()
        await self.stop_etcd()

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait for the API server and, with a controller manager, for the ServiceAccount ``default/default`` it makes."""

        async def ready() -> bool:
            return await self._answers_ok("/readyz")

        async def has_service_account() -> bool:
            return await self._answers_ok("/api/v1/namespaces/default/serviceaccounts/default")

        await self.api_server.wait_until(ready, "being ready", timeout)
        if self.controller_manager:
            await self.controller_manager.wait_until(has_service_account, "there was a default ServiceAccount", timeout)

    async def start_api_server(self) -> None:
        """Start it, or wait for it, at the address it had."""
        self.api_server.start()
        await self.wait_ready()

    async def stop_api_server(self) -> None:
        """SIGTERM: watches are closed in order, then it ends, after a second."""
        await self.api_server.stop()

    async def kill_api_server(self) -> None:
        """SIGKILL: connections are reset."""
        await self.api_server.kill()

    async def start_etcd(self) -> None:
        """Start it, or wait for it, at the address it had."""

        async def healthy() -> bool:
            try:
                async with aiohttp.request("GET", f"{self.etcd_url}/health", timeout=_SECOND) as answer:
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

        self.etcd.start()
        await self.etcd.wait_until(healthy, "being healthy")

    async def stop_etcd(self) -> None:
        """The API server stays, and answers from its caches or not at all. Its watches would hold back etcd's end for 7 s."""
        await self.etcd.stop(timeout=1.0)

    async def compact_etcd(self) -> int:
        """Forget all revisions before the current one, which is returned.

        The API server still serves what its watch cache remembers. A watch that is too old gets the status 200 and an event
        ``ERROR`` with code 410: at once with ``--watch-cache=false``, else after a restart of the API server, which empties the
        cache.
        """
        revision = int((await self._ask_etcd("/v3/kv/range", {"key": "AA=="}))["header"]["revision"])
        await self._ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    async def save_etcd(self, path: Path) -> None:
        """Copy the data of etcd into the new folder ``path`` while all goes on.

        etcd is paused meanwhile, so the copy is what a crash at that moment would have left, which etcd recovers from.
        """
        self.etcd.pause()
        try:
            await asyncio.to_thread(shutil.copytree, self._etcd_data, path)
        finally:
            self.etcd.resume()

    async def restore_etcd(self, path: Path) -> None:
        """Set everything back to what ``save_etcd`` wrote: revisions that clients have seen are given out a second time.

        The controller manager is restarted, as the handbook of a restore demands; other clients are left to find out.
        """
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._etcd_data)
        await asyncio.to_thread(shutil.copytree, path, self._etcd_data)
        await self.start()

    async def kubectl(self, *arguments: str | Path, input: str | None = None) -> str:
        """What ``kubectl`` prints, as the administrator. Raises ``KubectlFailed``."""
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.admin_kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
            "KUBECTL_KUBERC": "false",
        }
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *(self.kubectl_binary, *arguments), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        try:
            out, error = await child.communicate((input or "").encode())
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode:
            command = " ".join(map(str, arguments))
            raise KubectlFailed(
                f"kubectl {command}: exit code {child.returncode}: {error.decode(errors='replace').strip()}"
            )
        return out.decode()

    async def token(self, namespace: str, service_account: str, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, from the TokenRequest API, which grants no fewer than 600 seconds."""
        duration = f"--duration={seconds}s"
        return (await self.kubectl("create", "token", service_account, f"--namespace={namespace}", duration)).strip()

    def write_kubeconfig(
        self,
        path: Path,
        *,
        server: str | None = None,
        token: str | None = None,
        certificate: Pair | None = None,
        ca_file: Path | None = None,
        namespace: str = "default",
    ) -> Path:
        """See ``kubeconfig.write_kubeconfig``; ``server`` and ``ca_file`` are those of this control plane unless given."""
        return write_kubeconfig(
            path,
            server=server or self.url,
            ca_file=ca_file or self.ca_file,
            token=token,
            certificate=certificate,
            namespace=namespace,
        )

    def ssl_context(self, certificate: Pair | None = None) -> ssl.SSLContext:
        """For a client of the API server: trusts its authority and shows ``certificate``, for example ``admin``."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if certificate is not None:
            context.load_cert_chain(certificate.public, certificate.key)
        return context

    async def _answers_ok(self, path: str) -> bool:
        try:
            connector = aiohttp.TCPConnector(ssl=self.ssl_context(self.admin))
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_SECOND) as session,
                session.get(self.url + path) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _ask_etcd(self, path: str, question: object) -> dict[str, Any]:
        """Through etcd's gateway from JSON to gRPC; 64-bit numbers come as strings."""
        async with aiohttp.request("POST", self.etcd_url + path, json=question, timeout=_MINUTE) as answer:
            answer.raise_for_status()
            result: dict[str, Any] = await answer.json()
            return result


@asynccontextmanager
async def running_control_plane(
    directory: Path, *, controller_manager: bool = True, api_server_flags: Sequence[str] = ()
) -> AsyncIterator[ControlPlane]:
    """A control plane that is ready, stopped at the end. Data that an earlier one left in ``directory`` is taken up again.

    ``api_server_flags`` come last and so override ours. Raises ``ProgramMissing``, ``CertificatesFailed`` and
    ``ProcessFailed``.
    """
    control_plane = await asyncio.to_thread(
        ControlPlane, directory, controller_manager=controller_manager, api_server_flags=api_server_flags
    )
    try:
        await control_plane.start()
        yield control_plane
    finally:
        await control_plane.stop()


def etcd_flags(data: Path, client_url: str, peer_url: str) -> list[str]:
    """One member, for data that nobody needs after a crash of the machine."""
    return [
        "--name=devcluster",
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=devcluster={peer_url}",
    ]


def _api_server_flags(certificates: Certificates, etcd_url: str, port: int) -> list[str]:
    """No compaction but ours, so that tests say what is forgotten.

    The Service ``kubernetes`` has no endpoints, as a loopback address cannot be one; the address is given nonetheless, since
    one would be looked for, which fails on a machine without a default route. Without a grace period for watches, SIGTERM waits
    a minute for them.
    """
    return [
        *api_server_flags(certificates, etcd_url),
        "--etcd-compaction-interval=0",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        "--advertise-address=127.0.0.1",
        "--shutdown-watch-termination-grace-period=1s",
        "--authorization-mode=RBAC",
    ]


def api_server_flags(certificates: Certificates, etcd_url: str) -> list[str]:
    """What any API server of ours is told, with nodes or without."""
    return [
        f"--etcd-servers={etcd_url}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--client-ca-file={certificates.authority.public}",
        f"--tls-cert-file={certificates.api_server.public}",
        f"--tls-private-key-file={certificates.api_server.key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={certificates.service_accounts.public}",
        f"--service-account-signing-key-file={certificates.service_accounts.key}",
        "--profiling=false",
    ]


def controller_manager_flags(certificates: Certificates, kubeconfig: Path) -> list[str]:
    """Each of its controllers first makes itself an account: 5 s more at the default of 20 requests a second."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
        f"--root-ca-file={certificates.authority.public}",
        f"--service-account-private-key-file={certificates.service_accounts.key}",
        "--profiling=false",
    ]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on. Random, so that parallel tests seldom choose the same."""
    free: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError(f"Fewer than {count} ports of {_PORTS} are free.")
