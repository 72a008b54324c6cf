"""NetworkPolicies in force: kube-router as a firewall on the node, whose bridge lets everything through by itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from devcluster.apt import SEARCH_PATH, install
from devcluster.control_plane import SERVICE_RANGE
from devcluster.node.cluster import Cluster
from devcluster.node.daemons import Daemon
from devcluster.node.settings import NODE_NAME
from devcluster.programs import program
from tests.e2e.person import wait_for

_TABLE = "filter"
_CHAIN, _SET = "KUBE-", "KUBE-"
"""What names of its chains and of its sets of addresses begin with."""
_SECONDS = 1
"""Between its looks at what it has set up; policies and pods that change it sees at once."""


@contextmanager
def firewall(cluster: Cluster) -> Iterator[None]:
    """In force when entered, and gone without a trace afterwards."""
    install(lambda: [name for name in ("iptables", "ipset") if not shutil.which(name, path=SEARCH_PATH)], print)
    command = [
        program("kube-router"),
        *("--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--health-port=0"),
        *(f"--kubeconfig={cluster.kubeconfig}", f"--hostname-override={NODE_NAME}"),
        *(f"--service-cluster-ip-range={SERVICE_RANGE}", f"--iptables-sync-period={_SECONDS}s"),
    ]
    had_table = f"table ip {_TABLE}" in _run("nft", "list", "tables").splitlines()
    daemon = Daemon("kube-router", command, cluster.place)
    try:
        daemon.start()
        daemon.wait_until(lambda: f"{_CHAIN}POD-FW-" in _rules(), "the rules of pods are there", 30)
        yield
    finally:
        daemon.stop()
        _remove(had_table)


def _remove(had_table: bool) -> None:
    # Its own --cleanup-config takes IPVS, which there need not be.
    others = [line for line in _rules().splitlines() if _CHAIN not in line]
    _run("iptables-restore", "--table", _TABLE, input="\n".join([*others, ""]))
    if not had_table:
        _run("nft", "delete", "table", "ip", _TABLE)
    sets = [name for name in _run("ipset", "list", "-name").splitlines() if name.startswith(_SET)]
    for name in sets:
        # The kernel lets go of the rules that name it a moment after they are gone.
        wait_for(lambda name=name: _destroyed(name), f"no rule needs {name}", 10)  # type: ignore[misc]


def _destroyed(name: str) -> bool:
    return subprocess.run(["ipset", "destroy", name], env={"PATH": SEARCH_PATH}, capture_output=True).returncode == 0


def _rules() -> str:
    return _run("iptables-save", "--table", _TABLE)


def _run(*command: str, input: str | None = None) -> str:
    environment = {"PATH": SEARCH_PATH}
    return subprocess.run(command, env=environment, input=input, capture_output=True, text=True, check=True).stdout
