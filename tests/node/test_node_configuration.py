"""What each part of the node is told: everything in the cluster's folder, nothing where the outside could come in."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.certificates import Pair, make_certificates
from devcluster.control_plane import SERVICE_RANGE
from devcluster.node import kube_proxy, kubelet, settings
from devcluster.node.certificates import ClusterCertificates, make_cluster_certificates
from devcluster.node.commands import run
from devcluster.node.control_plane import control_plane_daemons
from devcluster.node.runtime import containerd_config, network_config, write_runtime_config
from devcluster.node.settings import Place

_PROGRAMS = {
    name: Path("/programs", name) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a blank and a quote in its path, as a user's folder may have."""
    return Place(tmp_path_factory.mktemp('some "one') / "cluster")


@pytest.fixture(scope="module")
def certificates(place: Place) -> ClusterCertificates:
    return make_cluster_certificates(place)


def strings(value: object) -> Iterator[str]:
    """All in a document."""
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def test_containerd_keeps_everything_in_the_folder(place: Place) -> None:
    config = tomllib.loads(containerd_config(place, Path("/usr/lib/cni"), "localhost/pause:1"))
    outside = [each for each in strings(config) if each.startswith("/") and not each.startswith(f"{place.folder}/")]
    assert outside == ["/usr/lib/cni"]
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "localhost/pause:1"
    assert cri["restrict_oom_score_adj"] is True


def test_the_kubelet_keeps_everything_in_the_folder(place: Place, certificates: ClusterCertificates) -> None:
    config = kubelet.kubelet_config(place, certificates)
    paths = [each.removeprefix("unix://") for each in strings(config) if each.startswith(("/", "unix://"))]
    assert len(paths) >= 6
    assert [path for path in paths if not path.startswith(f"{place.folder}/")] == []


def test_nobody_reads_from_the_kubelet_without_being_known(place: Place, certificates: ClusterCertificates) -> None:
    config = kubelet.kubelet_config(place, certificates)
    assert config["readOnlyPort"] == 0
    assert config["authorization"] == {"mode": "Webhook"}
    assert json.loads(json.dumps(config))["authentication"]["anonymous"] == {"enabled": False}


def test_nothing_listens_on_all_addresses(place: Place, certificates: ClusterCertificates) -> None:
    told = [*strings(kubelet.kubelet_config(place, certificates)), *strings(kube_proxy.kube_proxy_config(certificates))]
    told += [str(word) for daemon in control_plane_daemons(place, _PROGRAMS, certificates) for word in daemon.command]
    assert [each for each in told if "0.0.0.0" in each or each.endswith("::")] == []
    assert f"--bind-address={settings.NODE_IP}" in told


def test_pods_get_addresses_of_the_range_and_no_way_out(place: Place) -> None:
    (bridge,) = json.loads(json.dumps(network_config(place)))["plugins"]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": settings.POD_RANGE}]]


def test_ranges_do_not_overlap() -> None:
    pods, services = ipaddress.ip_network(settings.POD_RANGE), ipaddress.ip_network(SERVICE_RANGE)
    node = ipaddress.ip_network(settings.NODE_IP)
    assert not pods.overlaps(services)
    assert not pods.overlaps(node)
    assert not services.overlaps(node)
    assert ipaddress.ip_address(settings.DNS_IP) in services


def test_names_of_bridges_fit_into_the_kernel_s() -> None:
    assert max(len(name) for name in (settings.NODE_BRIDGE, settings.POD_BRIDGE)) <= 15


def test_writing_twice_gives_the_same_files(place: Place) -> None:
    first = write_runtime_config(place, Path("/usr/lib/cni"), "localhost/pause:1").read_text()
    assert write_runtime_config(place, Path("/usr/lib/cni"), "localhost/pause:1").read_text() == first


def test_certificates_name_what_they_are_for(place: Place, certificates: ClusterCertificates) -> None:
    def text(pair: Pair) -> str:
        return run("openssl", "x509", "-in", pair.public, "-noout", "-text")

    assert f"IP Address:{settings.NODE_IP}" in text(certificates.control_plane.api_server)
    assert f"DNS:{settings.NODE_NAME}" in text(certificates.kubelet_serving)
    node = Pair(place.certificates / "kubelet.crt", place.certificates / "kubelet.key")
    assert f"O = system:nodes, CN = system:node:{settings.NODE_NAME}" in text(node)
    authority = certificates.control_plane.authority.public
    run("openssl", "verify", "-CAfile", authority, node.public, certificates.kubelet_serving.public)


def test_certificates_are_made_once(place: Place, certificates: ClusterCertificates) -> None:
    before = certificates.kubelet_serving.public.read_bytes()
    assert make_cluster_certificates(place) == certificates
    assert certificates.kubelet_serving.public.read_bytes() == before


def test_a_bare_control_plane_has_no_address_of_a_node(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "pki")
    assert settings.NODE_IP not in run("openssl", "x509", "-in", made.api_server.public, "-noout", "-text")


@pytest.mark.parametrize("name", ["kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"])
def test_each_daemon_has_a_kubeconfig_that_only_root_reads(certificates: ClusterCertificates, name: str) -> None:
    path = certificates.kubeconfigs[name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == settings.API_URL
