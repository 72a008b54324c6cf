"""What a cluster could leave on a machine, written down so that two moments can be compared."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from devcluster.apt import SEARCH_PATH

_FOLDERS = (
    *("/run/netns", "/run/containerd", "/run/cni", "/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd"),
    *("/var/log/containers", "/var/log/pods", "/etc/kubernetes", "/opt/cni", "/opt/containerd"),
    "/usr/libexec/kubernetes",
)
_SYSCTLS = ("kernel", "vm", "net/ipv4", "net/ipv6/conf/all", "net/netfilter", "net/bridge")
_RESTLESS = (
    *("kernel/random", "kernel/ns_last_pid", "kernel/pty/nr", "kernel/perf_event", "net/netfilter/nf_conntrack_count"),
    *("net/ipv4/route", "vm/stat_refresh", "vm/compact_memory", "net/ipv4/conf/fairlead", "net/ipv4/neigh/fairlead"),
)
"""These change by themselves."""


def traces() -> dict[str, list[str]]:
    """Under the name of each kind, all there is of it now."""
    return {
        "processes": sorted(_processes()),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "routes": sorted(_lines("ip", "route", "show", "table", "all")),
        "rules": _lines("nft", "list", "ruleset"),
        "cgroups": sorted(folder for folder, _, _ in os.walk("/sys/fs/cgroup")),
        "network namespaces": sorted(_namespaces()),
        "settings of the kernel": sorted(_sysctls()),
        "folders": sorted(
            str(path) for name in _FOLDERS for path in [Path(name), *Path(name).glob("**/*")] if path.exists()
        ),
    }


def _processes() -> list[str]:
    """Of container runtimes and of Kubernetes; the machine has others that come and go."""
    names = ("containerd", "runc", "kube", "etcd", "coredns", "pause")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = (entry / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace").rpartition("/")[2]
            if program.startswith(names):
                found.append(f"{entry.name} {program}")
    return found


def _namespaces() -> set[str]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(entry))
    return found


def _sysctls() -> list[str]:
    found = []
    for folder in _SYSCTLS:
        for path in Path("/proc/sys", folder).glob("**/*"):
            name = str(path.relative_to("/proc/sys"))
            if not name.startswith(_RESTLESS) and path.is_file():
                with contextlib.suppress(OSError):
                    found.append(f"{name} = {path.read_text(errors='replace').strip()}")
    return found


def _lines(*command: str) -> list[str]:
    environment = {**os.environ, "PATH": SEARCH_PATH}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
