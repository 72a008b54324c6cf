"""Keys, certificates and kubeconfigs that a cluster with a node needs beyond those of a bare control plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster.certificates import Certificates, Pair, make_certificates, sign
from devcluster.kubeconfig import write_kubeconfig
from devcluster.node.settings import API_URL, NODE_IP, NODE_NAME, Place

_NODE_USER = f"/O=system:nodes/CN=system:node:{NODE_NAME}"
_CLIENTS = {
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kubelet": _NODE_USER,
    "kube-proxy": "/CN=system:kube-proxy",
}


@dataclass(frozen=True, slots=True)
class ClusterCertificates:
    """All of them."""

    control_plane: Certificates
    kubelet_serving: Pair
    api_server_to_kubelet: Pair
    front_proxy: Pair
    """With it the API server speaks to aggregated API servers."""
    kubeconfigs: dict[str, Path]
    """By the name of the daemon."""


def make_cluster_certificates(place: Place) -> ClusterCertificates:
    """Make those that are missing, and the administrator's kubeconfig. Raises ``CertificatesFailed``."""
    folder = place.certificates
    control_plane = make_certificates(folder, [f"IP:{NODE_IP}"])
    made = ClusterCertificates(
        control_plane=control_plane,
        kubelet_serving=Pair(folder / "kubelet-serving.crt", folder / "kubelet-serving.key"),
        api_server_to_kubelet=Pair(folder / "api-server-to-kubelet.crt", folder / "api-server-to-kubelet.key"),
        front_proxy=Pair(folder / "front-proxy.crt", folder / "front-proxy.key"),
        kubeconfigs={name: folder / f"{name}.kubeconfig" for name in ("kube-controller-manager", *_CLIENTS)},
    )
    done = folder / "node-complete"
    if done.exists():
        return made
    authority = control_plane.authority
    names = f"subjectAltName=DNS:{NODE_NAME},IP:{NODE_IP}"
    sign(made.kubelet_serving, authority, _NODE_USER, "serverAuth", names)
    sign(made.api_server_to_kubelet, authority, "/O=system:masters/CN=kube-apiserver-kubelet-client", "clientAuth")
    sign(made.front_proxy, authority, "/CN=front-proxy-client", "clientAuth")
    clients = {"kube-controller-manager": control_plane.controller_manager}
    for name, subject in _CLIENTS.items():
        clients[name] = Pair(folder / f"{name}.crt", folder / f"{name}.key")
        sign(clients[name], authority, subject, "clientAuth")
    for name, pair in clients.items():
        write_kubeconfig(made.kubeconfigs[name], server=API_URL, ca_file=authority.public, certificate=pair)
    write_kubeconfig(place.kubeconfig, server=API_URL, ca_file=authority.public, certificate=control_plane.admin)
    done.touch()
    return made
