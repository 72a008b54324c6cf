"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler as the node's daemons need them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devcluster.control_plane import api_server_flags, controller_manager_flags, etcd_flags
from devcluster.node.certificates import ClusterCertificates
from devcluster.node.daemons import Daemon
from devcluster.node.settings import API_PORT, NODE_IP, Place

ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
ETCD_URL = f"http://127.0.0.1:{ETCD_PORT}"
_REVISIONS = 5000


def control_plane_daemons(place: Place, programs: Mapping[str, Path], made: ClusterCertificates) -> list[Daemon]:
    """In the order of their start."""
    manager, scheduler = made.kubeconfigs["kube-controller-manager"], made.kubeconfigs["kube-scheduler"]
    authority = made.control_plane.authority
    return [
        Daemon(
            "etcd",
            [
                programs["etcd"],
                *etcd_flags(place.folder / "etcd", ETCD_URL, f"http://127.0.0.1:{ETCD_PEER_PORT}"),
                "--auto-compaction-mode=revision",
                f"--auto-compaction-retention={_REVISIONS}",
            ],
            place,
        ),
        Daemon("kube-apiserver", [programs["kube-apiserver"], *_api_server_flags(made)], place),
        Daemon(
            "kube-controller-manager",
            [
                programs["kube-controller-manager"],
                *controller_manager_flags(made.control_plane, manager),
                f"--cluster-signing-cert-file={authority.public}",
                f"--cluster-signing-key-file={authority.key}",
                "--node-monitor-period=2s",
            ],
            place,
        ),
        Daemon(
            "kube-scheduler",
            [
                programs["kube-scheduler"],
                f"--kubeconfig={scheduler}",
                "--secure-port=0",
                "--leader-elect=false",
                "--profiling=false",
            ],
            place,
        ),
    ]


def _api_server_flags(made: ClusterCertificates) -> list[str]:
    """Pod Security is on without being named; NodeRestriction keeps the kubelet to its own node, as everywhere."""
    authority = made.control_plane.authority
    return [
        *api_server_flags(made.control_plane, ETCD_URL),
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={API_PORT}",
        "--shutdown-watch-termination-grace-period=1s",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={made.api_server_to_kubelet.public}",
        f"--kubelet-client-key={made.api_server_to_kubelet.key}",
        f"--kubelet-certificate-authority={authority.public}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={authority.public}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={made.front_proxy.public}",
        f"--proxy-client-key-file={made.front_proxy.key}",
        "--enable-aggregator-routing=true",
        "--allow-privileged=true",
    ]
