"""kube-proxy: Services' addresses, by rules of nftables, which it keeps in tables of its own."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster.node.certificates import ClusterCertificates
from devcluster.node.commands import write_if_new
from devcluster.node.daemons import Daemon
from devcluster.node.settings import NODE_IP, NODE_NAME, POD_RANGE, Place

HEALTH_PORT, METRICS_PORT = 10256, 10249
TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
"""Those of nftables that it makes."""


def kube_proxy_config(made: ClusterCertificates) -> dict[str, object]:
    """A ``KubeProxyConfiguration``. Limits of connection tracking stay what they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(made.kubeconfigs["kube-proxy"])},
        "mode": "nftables",
        "bindAddress": NODE_IP,
        "healthzBindAddress": f"127.0.0.1:{HEALTH_PORT}",
        "metricsBindAddress": f"127.0.0.1:{METRICS_PORT}",
        "clusterCIDR": POD_RANGE,
        "detectLocalMode": "ClusterCIDR",
        "nodePortAddresses": [f"{NODE_IP}/32"],
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def write_kube_proxy_config(place: Place, made: ClusterCertificates) -> None:
    """Write it."""
    write_if_new(place.configuration / "kube-proxy.json", json.dumps(kube_proxy_config(made), indent=1))


def kube_proxy_daemon(place: Place, program: Path) -> Daemon:
    """Its configuration must have been written when it is started."""
    config = place.configuration / "kube-proxy.json"
    return Daemon("kube-proxy", [program, f"--config={config}", f"--hostname-override={NODE_NAME}"], place)
