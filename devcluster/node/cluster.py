"""All parts in their order: up, down, and what tests do to a running cluster."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from devcluster import programs as built
from devcluster.node import host, kube_proxy, kubelet, leftovers
from devcluster.node.certificates import ClusterCertificates, make_cluster_certificates
from devcluster.node.commands import attempt
from devcluster.node.control_plane import ETCD_URL, control_plane_daemons
from devcluster.node.daemons import Daemon
from devcluster.node.images import image_name, load_own_images
from devcluster.node.obstacles import refuse_obstacles
from devcluster.node.packages import install_missing, plugin_folder
from devcluster.node.runtime import ImageStore, answers, runtime_daemon, write_runtime_config
from devcluster.node.settings import API_URL, DNS_IP, NODE_NAME, ClusterFailed, Place, default_place
from devcluster.patience import progress

PROGRAMS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kube-proxy"),
    *("coredns", "pause"),
)
COMPONENTS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("containerd", "kubelet", "kube-proxy"),
)
"""The daemons, in the order of their start."""
_MANIFEST = Path(__file__).with_name("manifests") / "system.yaml"
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One daemon, as ``status`` prints it."""

    name: str
    pid: int | None
    log: Path


class Cluster:
    """The one cluster of this machine. Methods block, for seconds, but for the first ``up``, which builds for minutes."""

    def __init__(self, place: Place | None = None, say: Callable[[str], None] | None = None) -> None:
        """Nothing is started, and nothing is touched. ``say`` gets lines of progress; by default they go to stderr."""
        self.place = place or default_place()
        self._say = say or progress("cluster")

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; there while the cluster is."""
        return self.place.kubeconfig

    @property
    def exists(self) -> bool:
        """Whether ``up`` has been here, and ``down`` has not."""
        return self.kubeconfig.exists()

    # ------------------------------------------------------------------------------------------------ up and down

    def up(self) -> Path:
        """Start whatever does not run and wait until pods and names work; returns the kubeconfig. Twice is harmless.

        Raises ``ClusterFailed``, ``ProgramMissing`` and ``CertificatesFailed``. What has been started then stays, for its logs.
        """
        host.require_linux_and_root()
        with self._alone():
            install_missing(self._say)
            programs = built.programs(PROGRAMS)
            if not host.remembered(self.place):
                refuse_obstacles()
            host.make_folder(self.place)
            host.remember(self.place)
            host.prepare(self.place)
            self._write_configuration(programs)
            if stopped := [status.name for status in self.status() if status.pid is None]:
                self._say(f"starting {', '.join(stopped)}")
            with ThreadPoolExecutor(1) as aside:
                images = aside.submit(self._start_runtime, programs)
                for name in ("etcd", "kube-apiserver"):
                    self._start(name)
                images.result()
            for name in ("kube-controller-manager", "kube-scheduler", "kubelet"):
                self._daemons()[name].start()
            self._install_system(programs)
            self._wait_until_it_works()
            self._say("the cluster is up")
        return self.kubeconfig

    def prepare(self) -> None:
        """Install and build what ``up`` needs, and start nothing: minutes, once per machine. Raises what ``up`` raises."""
        host.require_linux_and_root()
        with self._alone():
            install_missing(self._say)
            built.programs(PROGRAMS)
            self._say("all programs are there")

    def down(self) -> None:
        """Stop everything and set back what ``up`` changed on this machine; built programs and packages stay.

        Twice is harmless. Raises ``ClusterFailed`` for what cannot be removed.
        """
        host.require_linux_and_root()
        with self._alone():
            if not self.place.folder.exists():
                self._say("there is no cluster")
                return
            self._say("stopping")
            self._stop_all()
            if host.remembered(self.place):
                leftovers.end_pods(self.place)
                self._stop("containerd")
                leftovers.remove_records(self.place)
                host.restore(self.place)
            host.remove_folder(self.place)
            self._say("nothing is left of it but built programs and packages")

    def status(self) -> list[ComponentStatus]:
        """Of each daemon, in the order of their start."""
        return [ComponentStatus(name, self._record(name).pid, self._record(name).log) for name in COMPONENTS]

    # ------------------------------------------------------------------------------------------------ a running cluster

    def load_image(self, archive: Path) -> list[str]:
        """Give the node the images of a docker-archive; returns the names whose content is new. See ``ImageStore.load``."""
        return ImageStore(self.place).load(archive)

    def kubectl(self, *arguments: str | Path, input: str | None = None) -> str:
        """What ``kubectl`` prints, as the administrator. Raises ``ClusterFailed``."""
        done = attempt(built.program("kubectl"), *arguments, input=input, environment=self.environment)
        if done.returncode:
            command = " ".join(map(str, arguments))
            raise ClusterFailed(f"kubectl {command}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the environment of kubectl or helm, so that they mean this cluster and write into its folder."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.place.folder / "kubectl-cache"),
            "KUBECTL_KUBERC": "false",
        }

    def start_component(self, name: str) -> None:
        """Start one of ``COMPONENTS`` as ``up`` did, and wait until it is healthy."""
        if not self.exists:
            raise ClusterFailed("There is no cluster; `python -m devcluster.cluster up` makes it.")
        self._start(name)

    def stop_component(self, name: str) -> None:
        """SIGTERM to one of ``COMPONENTS``; returns when it has ended. Pods go on whichever it is."""
        self._stop(name)

    def kill_component(self, name: str) -> None:
        """SIGKILL; returns when it has ended."""
        self._record(name).kill()

    def kill_pod(self, uid: str) -> None:
        """SIGKILL to all processes of the pod whose object has this ``uid``: no hook runs, nothing is drained."""
        pids = leftovers.pod_processes(uid)
        if not pids:
            raise ClusterFailed(f"No process runs in a pod with the uid {uid}.")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pid(self, name: str) -> int | None:
        """The process of one of ``COMPONENTS``."""
        return self._record(name).pid

    # ------------------------------------------------------------------------------------------------ parts

    def _certificates(self) -> ClusterCertificates:
        return make_cluster_certificates(self.place)

    def _daemons(self) -> dict[str, Daemon]:
        programs = built.programs(PROGRAMS)
        made = self._certificates()
        daemons = [
            *control_plane_daemons(self.place, programs, made),
            runtime_daemon(self.place),
            kubelet.kubelet_daemon(self.place, programs["kubelet"], made),
            kube_proxy.kube_proxy_daemon(self.place, programs["kube-proxy"]),
        ]
        return {daemon.name: daemon for daemon in daemons}

    def _record(self, name: str) -> Daemon:
        """Enough of a daemon to look for it and to end it, which must not take a build or a certificate."""
        if name not in COMPONENTS:
            raise ClusterFailed(f"There is no component {name!r}; there are {', '.join(COMPONENTS)}.")
        return Daemon(name, (), self.place)

    def _write_configuration(self, programs: dict[str, Path]) -> None:
        plugins = plugin_folder()
        assert plugins is not None, "install_missing has seen to it"
        write_runtime_config(self.place, plugins, image_name(programs["pause"]))
        kubelet.write_kubelet_config(self.place, self._certificates())
        kube_proxy.write_kube_proxy_config(self.place, self._certificates())

    def _start_runtime(self, programs: dict[str, Path]) -> None:
        self._start("containerd")
        load_own_images(self.place, programs, ImageStore(self.place))

    def _start(self, name: str) -> None:
        self._record(name)  # refuses an unknown name
        daemon = self._daemons()[name]
        daemon.start()
        healthy: dict[str, Callable[[], bool]] = {
            "etcd": lambda: _answers(f"{ETCD_URL}/health"),
            "kube-apiserver": lambda: self._api_answers("/readyz"),
            "containerd": lambda: answers(self.place),
            "kubelet": lambda: _answers(f"http://127.0.0.1:{kubelet.HEALTH_PORT}/healthz"),
            "kube-proxy": lambda: _answers(f"http://127.0.0.1:{kube_proxy.HEALTH_PORT}/healthz"),
        }
        if name in healthy:
            daemon.wait_until(healthy[name], f"{name} was healthy", _READY_SECONDS)

    def _stop(self, name: str) -> None:
        self._record(name).stop()

    def _stop_all(self) -> None:
        """Those that would repair what goes away first, and what somebody added; not containerd: it still holds the pods."""
        first = [self._record(name) for name in ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")]
        names = {record.stem for record in self.place.processes.glob("*.pid")}
        first += [Daemon(name, (), self.place) for name in sorted(names.difference(COMPONENTS))]
        with ThreadPoolExecutor(len(first)) as pool:
            list(pool.map(lambda daemon: daemon.stop(3.0), first))
        for name in ("kube-apiserver", "etcd"):
            self._record(name).stop(2.0)

    def _install_system(self, programs: dict[str, Path]) -> None:
        text = _MANIFEST.read_text().replace("IMAGE", image_name(programs["coredns"])).replace("DNS_IP", DNS_IP)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)

    def _wait_until_it_works(self) -> None:
        daemons = self._daemons()
        daemons["kubelet"].wait_until(self.node_ready, f"node {NODE_NAME} was Ready", _READY_SECONDS)
        self._say(f"node {NODE_NAME} is Ready")
        self._start("kube-proxy")  # not before: it ends when its node gets an address
        self.kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=120s")
        self._say("cluster DNS answers")
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        daemons["kube-controller-manager"].wait_until(
            lambda: self._api_answers(account), "there was a default ServiceAccount", _READY_SECONDS
        )

    def node_ready(self) -> bool:
        """Whether the API server has heard of late that the node is."""
        try:
            found = json.loads(self.kubectl("get", "nodes", "--output=json"))
        except ClusterFailed:
            return False
        conditions = [each for node in found["items"] for each in node["status"].get("conditions", ())]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _api_answers(self, path: str) -> bool:
        certificates = self._certificates().control_plane
        context = ssl.create_default_context(cafile=certificates.authority.public)
        context.load_cert_chain(certificates.admin.public, certificates.admin.key)
        return _answers(API_URL + path, context)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One ``up`` or ``down`` at a time on this machine. A name of the kernel's goes with its holder and leaves no file."""
        with socket.socket(socket.AF_UNIX) as name:
            waiting = False
            while True:
                try:
                    name.bind("\0fairlead-cluster")
                    break
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                if not waiting:
                    self._say("waiting for another `up` or `down` to end")
                waiting = True
                time.sleep(_LOOK_SECONDS)
            yield


def _answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
