"""What on this machine is in the cluster's way, found before anything is touched."""

from __future__ import annotations

import ipaddress
import json
import socket

from devcluster.node import kube_proxy, kubelet
from devcluster.node.commands import run
from devcluster.node.control_plane import ETCD_PEER_PORT, ETCD_PORT
from devcluster.node.leftovers import pod_cgroups, proxy_tables
from devcluster.node.settings import NODE_BRIDGE, NODE_IP, POD_BRIDGE, POD_RANGE, ClusterFailed

_LOCAL_PORTS = {
    ETCD_PORT: "etcd",
    ETCD_PEER_PORT: "etcd",
    kubelet.HEALTH_PORT: "kubelet",
    kube_proxy.HEALTH_PORT: "kube-proxy",
    kube_proxy.METRICS_PORT: "kube-proxy",
}


def refuse_obstacles() -> None:
    """Raises ``ClusterFailed`` that names all of them. Only for a machine on which nothing of the cluster runs."""
    found = [*_taken_ports(), *_taken_addresses(), *_other_nodes()]
    if found:
        raise ClusterFailed("The cluster cannot run on this machine now:\n" + "\n".join(f"- {each}" for each in found))


def _taken_ports() -> list[str]:
    found = []
    for port, part in _LOCAL_PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                found.append(
                    f"Port {port} of 127.0.0.1 is taken, which {part} needs. `ss -ltnp` tells by whom; stop it."
                )
    return found


def _taken_addresses() -> list[str]:
    ours = {NODE_BRIDGE: ipaddress.IPv4Network(NODE_IP), POD_BRIDGE: ipaddress.IPv4Network(POD_RANGE)}
    found = []
    for link in json.loads(run("ip", "-json", "-4", "address")):
        if link["ifname"] in ours:
            continue
        for address in link["addr_info"]:
            network = ipaddress.IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
            found += [
                f"{link['ifname']} has {address['local']}/{address['prefixlen']}, which is in {wanted} of the cluster."
                for wanted in ours.values()
                if network.subnet_of(wanted)  # a wider one only routes less exactly
            ]
    return found


def _other_nodes() -> list[str]:
    found = [f"There is a cgroup {group}: another kubelet runs here, or ran and left it." for group in pod_cgroups()]
    found += [
        f"There is a table `{family} {name}` in nftables: another kube-proxy runs here, or left it. "
        f"If nothing needs it, `nft delete table {family} {name}`."
        for family, name in proxy_tables()
    ]
    return found
