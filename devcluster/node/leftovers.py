"""What pods leave on a machine when nobody ends them in order: processes, cgroups, shims, rules, records of addresses.

All of it is found by what only this cluster can have: the path of its folder, and the cgroup that the kubelet made.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from devcluster.node.commands import attempt
from devcluster.node.kube_proxy import TABLES
from devcluster.node.settings import NETWORK_NAME, ClusterFailed, Place

_CGROUPS = Path("/sys/fs/cgroup")
_CNI_RESULTS = Path("/var/lib/cni/results")
_LOG_LINKS = Path("/var/log/containers")
_SECONDS = 10.0


def pod_cgroups() -> list[Path]:
    """The cgroup of all pods: one, or with version 1 one per controller."""
    return [path for path in (_CGROUPS / "kubepods", *sorted(_CGROUPS.glob("*/kubepods"))) if path.is_dir()]


def pod_processes(uid: str) -> set[int]:
    """All processes of one pod, by the ``uid`` of its object."""
    folders = (Path(folder) for group in pod_cgroups() for folder, _, _ in os.walk(group))
    return {pid for folder in folders if folder.name == f"pod{uid}" for pid in _members(folder)}


def proxy_tables() -> list[tuple[str, str]]:
    """Tables of nftables under the names that kube-proxy uses."""
    return [(family, name) for family, name in TABLES if not attempt("nft", "list", "table", family, name).returncode]


def end_pods(place: Place) -> None:
    """Kill what runs in pods, then the shims that hold them. The kubelet must not run, else it starts them again."""
    sockets = _shim_sockets(place)
    _kill_until_gone("processes of pods", lambda: (pid for group in pod_cgroups() for pid in _members(group)))
    _kill_until_gone("shims", lambda: _shims(place))
    for socket in sockets:
        socket.unlink(missing_ok=True)
    deadline = time.monotonic() + _SECONDS
    while groups := pod_cgroups():
        for group in groups:
            _remove(group)
        if groups and time.monotonic() > deadline:
            raise ClusterFailed(f"The cgroups {', '.join(map(str, groups))} cannot be removed.")
        time.sleep(0.05)


def remove_records(place: Place) -> None:
    """Rules, records of the network plugins, links to logs."""
    for family, name in proxy_tables():
        attempt("nft", "delete", "table", family, name)
    for result in _CNI_RESULTS.glob(f"{NETWORK_NAME}-*"):
        with contextlib.suppress(OSError, ValueError):
            container = json.loads(result.read_text())["containerId"]
            (_CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        result.unlink(missing_ok=True)
    for link in _LOG_LINKS.glob("*"):
        if link.is_symlink() and Path(os.readlink(link)).is_relative_to(place.folder):
            link.unlink()


def _kill_until_gone(what: str, find: Callable[[], Iterator[int]]) -> None:
    deadline = time.monotonic() + _SECONDS
    while left := set(find()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterFailed(f"{what} do not end: {', '.join(map(str, sorted(left)))}.")
        time.sleep(0.05)


def _members(group: Path) -> Iterator[int]:
    for folder, _, _ in os.walk(group):  # which lets folders vanish meanwhile, as those of dying containers do
        with contextlib.suppress(OSError):
            yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def _shims(place: Place) -> Iterator[int]:
    address = str(place.containerd_socket).encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in arguments[0] and address in arguments:
                yield int(entry.name)


def _shim_sockets(place: Place) -> list[Path]:
    """Each shim wrote down where it listens, outside of our folder."""
    found = []
    for record in (place.folder / "containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            found.append(Path(record.read_text().strip().removeprefix("unix://")))
    return found


def _remove(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):  # its processes are dying
            os.rmdir(folder)
