"""NetworkPolicies in force: kube-router as a firewall on the node, whose bridge lets everything through by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from devcluster.apt import SEARCH_PATH, install
from devcluster.control_plane import SERVICE_RANGE
from devcluster.node.cluster import Cluster
from devcluster.node.commands import attempt, run
from devcluster.node.daemons import Daemon
from devcluster.node.settings import NODE_NAME, Place
from devcluster.programs import program
from tests.e2e.person import wait_for

_NAME = "kube-router"
_TABLE = "filter"
_PREFIX = "KUBE-"
"""What names of its chains and of its sets of addresses begin with."""
_SYNC_SECONDS = 1
"""Between its looks at what it has set up. Pods and policies that change it hears of at once."""


@contextmanager
def firewall(cluster: Cluster) -> Iterator[None]:
    """In force when entered, and gone afterwards. A run that was killed in between leaves it to ``remove_firewall``."""
    install(lambda: [name for name in ("iptables", "ipset") if not shutil.which(name, path=SEARCH_PATH)], print)
    command = [
        program("kube-router"),
        *("--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--health-port=0"),
        *(f"--kubeconfig={cluster.kubeconfig}", f"--hostname-override={NODE_NAME}"),
        *(f"--service-cluster-ip-range={SERVICE_RANGE}", f"--iptables-sync-period={_SYNC_SECONDS}s"),
    ]
    had_table = _has_table()
    daemon = Daemon(_NAME, command, cluster.place)
    with ExitStack() as undo:
        if not had_table:
            undo.callback(_remove_table)
        undo.callback(remove_firewall, cluster.place)
        daemon.start()
        daemon.wait_until(lambda: "KUBE-POD-FW-" in _rules(), "the rules of pods are there", 30)
        yield


def wait_until_guarded(addresses: list[str]) -> None:
    """Until pods are under their rules; before, everything of theirs goes through."""
    wait_for(lambda: all(f"-d {address}/32" in _rules() for address in addresses), "every pod has its rules")


def remove_firewall(place: Place) -> None:
    """End it, and undo all that it set up; nothing if there is none."""
    Daemon(_NAME, (), place).stop()
    # Its own --cleanup-config takes IPVS, which there need not be.
    if not shutil.which("iptables-restore", path=SEARCH_PATH) or not shutil.which("ipset", path=SEARCH_PATH):
        return
    rules = _rules().splitlines()
    if any(_PREFIX in line for line in rules):
        others = [line for line in rules if _PREFIX not in line]
        run("iptables-restore", "--table", _TABLE, input="\n".join([*others, ""]))
    for name in run("ipset", "list", "-name").splitlines():
        if name.startswith(_PREFIX):
            # The kernel lets go of the rules that name it a moment after they are gone.
            wait_for(lambda name=name: _destroy(name), f"no rule needs {name}", 10)  # type: ignore[misc]


def _destroy(name: str) -> bool:
    return attempt("ipset", "destroy", name).returncode == 0


def _rules() -> str:
    return run("iptables-save", "--table", _TABLE)


def _has_table() -> bool:
    return f"table ip {_TABLE}" in run("nft", "list", "tables").splitlines()


def _remove_table() -> None:
    if _has_table():
        run("nft", "delete", "table", "ip", _TABLE)
