"""The kubelet: what makes pods of this machine's containers."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster.node.certificates import ClusterCertificates
from devcluster.node.commands import write_if_new
from devcluster.node.daemons import Daemon
from devcluster.node.settings import DNS_IP, KUBELET_PORT, NODE_IP, NODE_NAME, Place

HEALTH_PORT = 10248


def kubelet_config(place: Place, made: ClusterCertificates) -> dict[str, object]:
    """A ``KubeletConfiguration``.

    All its folders are in ``place``. Cgroups are made without systemd, of either version. It writes no rules of iptables, as
    nothing here uses them. Images are never deleted for room, since nobody could pull them again.
    """
    nothing_left = {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "port": KUBELET_PORT,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": HEALTH_PORT,
        "readOnlyPort": 0,
        "tlsCertFile": str(made.kubelet_serving.public),
        "tlsPrivateKeyFile": str(made.kubelet_serving.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "10s"},
            "x509": {"clientCAFile": str(made.control_plane.authority.public)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{place.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_IP],
        "makeIPTablesUtilChains": False,
        "resolvConf": str(place.configuration / "resolv.conf"),
        "podLogsDir": str(place.folder / "pod-logs"),
        "volumePluginDir": str(place.folder / "volume-plugins"),
        "staticPodPath": "",
        "registerNode": True,
        "maxPods": 60,
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {**nothing_left, "nodefs.inodesFree": "1%"},
    }


def write_kubelet_config(place: Place, made: ClusterCertificates) -> None:
    """Write it, and the resolver's for pods that want the node's: cluster DNS itself, which has nobody to ask."""
    write_if_new(place.configuration / "resolv.conf", f"nameserver {NODE_IP}\n")
    write_if_new(place.configuration / "kubelet.json", json.dumps(kubelet_config(place, made), indent=1))


def kubelet_daemon(place: Place, program: Path, made: ClusterCertificates) -> Daemon:
    """Its configuration must have been written when it is started."""
    return Daemon(
        "kubelet",
        [
            program,
            f"--config={place.configuration / 'kubelet.json'}",
            f"--kubeconfig={made.kubeconfigs['kubelet']}",
            f"--root-dir={place.folder / 'kubelet'}",
            f"--cert-dir={place.folder / 'kubelet-pki'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_IP}",
        ],
        place,
    )
