"""What the cluster changes on this machine outside its folder, and how each is set back.

The node's bridge, settings of the kernel, the file system of the folder, and folders that container runtimes share. What was
there before is written down first, in the cluster's folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster.node.commands import attempt, run
from devcluster.node.settings import NODE_BRIDGE, NODE_IP, POD_BRIDGE, ClusterFailed, Place

_SYSCTL = Path("/proc/sys")
_SYSCTLS = (
    *("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/ipv4/vs/conntrack"),
    *("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"),
    *("net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_be_liberal"),
    *("net/netfilter/nf_conntrack_tcp_timeout_established", "net/netfilter/nf_conntrack_tcp_timeout_close_wait"),
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
"""Those that kubelet, kube-proxy and the bridge plugin are known to set."""
_SHARED_FOLDERS = (
    *("/run/containerd/s", "/run/containerd", "/run/netns", "/var/lib/cni/results", "/var/lib/cni"),
    *("/var/log/containers", "/var/lib/kubelet/device-plugins", "/var/lib/kubelet"),
)
"""Made by some part where they are missing; inner ones first."""
_KUBELET_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
"""The one path that no setting of the kubelet moves."""
_MODULES = ("overlay", "br_netfilter", "nf_conntrack", "nf_tables")
_TMPFS_FROM_BYTES = 8 << 30
"""With less memory the state is on the disk."""


def require_linux_and_root() -> None:
    """Raises ``ClusterFailed``."""
    if sys.platform != "linux":
        raise ClusterFailed(f"The cluster's node is this machine, which must run Linux, not {sys.platform}.")
    if os.geteuid() != 0:
        raise ClusterFailed("The cluster's node is this machine, so only root can start or stop it. Use sudo.")


def make_folder(place: Place) -> None:
    """The folder, in memory where there is enough: a disk is slow to write, and much slower to delete from."""
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory >= _TMPFS_FROM_BYTES and not os.path.ismount(place.folder) and not any(place.folder.iterdir()):
        run("mount", "-t", "tmpfs", "-o", "mode=0700,size=60%", "fairlead-cluster", place.folder)
    for folder in (place.configuration, place.logs, place.processes):
        folder.mkdir(exist_ok=True)


def remembered(place: Place) -> bool:
    """Whether ``remember`` has been called since there was last nothing: what is found on the machine may then be ours."""
    return _record(place).exists()


def remember(place: Place) -> None:
    """Write down what is to be set back, unless that has been done."""
    if remembered(place):
        return
    path = _record(place)
    sysctls = {name: value for name in _SYSCTLS if (value := _sysctl(name)) is not None}
    missing = [folder for folder in _SHARED_FOLDERS if not Path(folder).exists()]
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"sysctls": sysctls, "missing": missing}, indent=1))
    draft.replace(path)


def prepare(place: Place) -> None:
    """The node's bridge with its address, and what the kernel may have to load."""
    for module in _MODULES:  # most kernels have them built in, where there is nothing to load
        with contextlib.suppress(ClusterFailed):
            attempt("modprobe", "-q", module)
    if not link_exists(NODE_BRIDGE):
        run("ip", "link", "add", NODE_BRIDGE, "type", "bridge")
    run("ip", "address", "replace", f"{NODE_IP}/32", "dev", NODE_BRIDGE)
    run("ip", "link", "set", NODE_BRIDGE, "up")


def restore(place: Place) -> None:
    """Remove both bridges and set back what ``remember`` wrote down. Call it when all processes have ended."""
    for link in [*_ports_of(POD_BRIDGE), POD_BRIDGE, NODE_BRIDGE]:
        if link_exists(link):
            run("ip", "link", "delete", link)
    try:
        before = json.loads(_record(place).read_text())
    except FileNotFoundError:
        return
    for name, value in before["sysctls"].items():
        if _sysctl(name) not in (value, None):
            (_SYSCTL / name).write_text(value)
    if str(_KUBELET_SOCKET.parent) in before["missing"]:
        _KUBELET_SOCKET.unlink(missing_ok=True)
    _remove_if_empty(before["missing"])


def remove_folder(place: Place) -> None:
    """With everything that is mounted in it."""
    for point in mounts_below(place.folder):
        run("umount", "--lazy", point)
    if place.folder.exists():
        shutil.rmtree(place.folder)
    with contextlib.suppress(OSError):  # another's is in it
        place.folder.parent.rmdir()


def mounts_below(folder: Path) -> list[str]:
    """Mount points at and under a folder, deepest first."""
    points = [line.split()[4].replace("\\040", " ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted({point for point in points if Path(point).is_relative_to(folder)}, reverse=True)


def link_exists(name: str) -> bool:
    """Whether there is a network interface of this name."""
    return Path("/sys/class/net", name).exists()


def _ports_of(bridge: str) -> list[str]:
    ports = Path("/sys/class/net", bridge, "brif")
    return sorted(port.name for port in ports.iterdir()) if ports.exists() else []


def _record(place: Place) -> Path:
    return place.folder / "host.json"


def _sysctl(name: str) -> str | None:
    try:
        return (_SYSCTL / name).read_text().strip()
    except OSError:
        return None


def _remove_if_empty(folders: Sequence[str]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # not there, or in use by another runtime
            Path(folder).rmdir()
