"""The cluster itself, before anything of Fairlead is on it: pods, names, images, parts that fail, and its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster.node.cluster import COMPONENTS, Cluster
from devcluster.node.settings import NODE_IP, ClusterFailed, Place
from devcluster.programs import version
from tests.e2e.conftest import load_probe
from tests.e2e.objects import deployment, pod, pod_spec, service
from tests.e2e.person import Person, get, said, wait_for

pytestmark = pytest.mark.timeout(300)

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def person(cluster: Cluster, namespace: str) -> Person:
    wait_for(
        lambda: "default" in cluster.kubectl("get", "serviceaccounts", f"--namespace={namespace}", "--output=name"),
        "a ServiceAccount",
    )
    return Person(cluster, namespace)


@pytest.fixture
def stopped(cluster: Cluster) -> Iterator[Callable[[str], None]]:
    """Stops parts, which run again afterwards."""
    names = []

    def stop(name: str) -> None:
        names.append(name)
        cluster.stop_component(name)

    yield stop
    for name in names:
        cluster.start_component(name)
    wait_for(cluster.node_ready, "the node to be Ready")


def test_up_once_more_starts_nothing_and_is_quick(cluster: Cluster) -> None:
    before = {status.name: status.pid for status in cluster.status()}
    started = time.monotonic()
    cluster.up()
    time.sleep(1)  # what reacts to a file that was written does so within this time
    assert {status.name: status.pid for status in cluster.status()} == before
    assert None not in before.values()
    assert time.monotonic() - started < 30


def test_a_pod_reaches_a_service_by_its_name_and_the_machine_by_its_address(person: Person, probe: str) -> None:
    person.serve(probe, "hello")
    assert person.run("by-short-name", probe, "get", "http://web") == ("Succeeded", "hello")
    full = f"http://web.{person.namespace}.svc.cluster.local:80"
    assert person.run("by-full-name", probe, "get", full) == ("Succeeded", "hello")
    assert get(f"http://{person.address()}") == "hello"


def test_a_name_that_nobody_has_fails_at_once(person: Person, probe: str) -> None:
    phase, said = person.run("lost", probe, "get", "http://nowhere.example")
    assert phase == "Failed"
    assert "no such host" in said


def test_a_node_port_answers_on_the_node_alone(person: Person, probe: str) -> None:
    person.serve(probe, "hello", type="NodePort")
    port = person.kubectl("get", "service", "web", "--output=jsonpath={.spec.ports[0].nodePort}")
    wait_for(lambda: said(f"http://{NODE_IP}:{port}") == "hello", "kube-proxy to open the port")
    assert said(f"http://127.0.0.1:{port}") == ""


def test_a_pod_that_asks_for_more_than_restricted_allows_is_refused(person: Person, probe: str) -> None:
    spec = pod_spec(probe, "serve", "hello")
    spec["securityContext"] = {}
    with pytest.raises(ClusterFailed, match=r"(?s)forbidden: violates PodSecurity .restricted.*runAsNonRoot"):
        person.apply(pod("careless", spec))


def test_another_image_under_the_same_name_replaces_the_first(person: Person, cluster: Cluster, tmp_path: Path) -> None:
    name = load_probe(cluster, tmp_path / "1.tar", "localhost/replaced:1", "serve", "first")
    person.apply(deployment("web", pod_spec(name)), service("web", 80, 8080))
    url = f"http://{person.address()}"
    wait_for(lambda: said(url) == "first", "the first to answer")
    load_probe(cluster, tmp_path / "2.tar", name, "serve", "second")
    assert get(url) == "first", "a running pod keeps what it runs"
    person.kubectl("rollout", "restart", "deployment/web")
    wait_for(lambda: said(url) == "second", "the second to answer")


def test_the_same_image_once_more_is_not_imported(cluster: Cluster, probe: str, tmp_path: Path) -> None:
    archive = tmp_path / "probe.tar"
    load_probe(cluster, archive, probe)
    assert cluster.load_image(archive) == []


def test_the_first_content_under_a_name_can_come_back(cluster: Cluster, tmp_path: Path) -> None:
    archives = [tmp_path / "1.tar", tmp_path / "2.tar"]
    name = load_probe(cluster, archives[0], "localhost/swung:1", "serve", "first")
    load_probe(cluster, archives[1], name, "serve", "second")
    assert cluster.load_image(archives[0]) == [name]


def test_pods_serve_on_while_the_kubelet_is_away_and_it_takes_them_up_again(
    person: Person, cluster: Cluster, probe: str, stopped: Callable[[str], None]
) -> None:
    person.serve(probe, "hello")
    url, names = f"http://{person.address()}", person.kubectl("get", "pods", "--output=name")
    cluster.kill_component("kubelet")
    stopped("kubelet")
    assert get(url) == "hello"
    cluster.start_component("kubelet")
    # It takes no pod for ready before it has probed it once, and Services lead nowhere for that moment.
    person.wait_until_names_and_pods_answer()
    assert person.kubectl("get", "pods", "--output=name") == names
    path = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    assert person.kubectl("get", "pods", f"--output={path}") == "0"
    assert person.run("after", probe, "get", "http://web") == ("Succeeded", "hello")


def test_services_answer_while_the_api_server_is_away(
    person: Person, cluster: Cluster, probe: str, stopped: Callable[[str], None]
) -> None:
    person.serve(probe, "hello")
    url = f"http://{person.address()}"
    stopped("kube-apiserver")
    with pytest.raises(ClusterFailed, match="refused"):
        person.kubectl("get", "pods")
    assert get(url) == "hello"
    cluster.start_component("kube-apiserver")
    assert person.run("after", probe, "get", "http://web") == ("Succeeded", "hello")


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_was_killed_is_started_again_by_up(cluster: Cluster, name: str) -> None:
    before = cluster.pid(name)
    cluster.kill_component(name)
    assert cluster.pid(name) is None
    cluster.up()
    assert cluster.pid(name) not in (None, before)
    wait_for(cluster.node_ready, "the node to be Ready")


def test_up_repairs_a_cluster_whose_parts_are_all_dead_and_its_pods_have_gone_on(
    person: Person, cluster: Cluster, probe: str
) -> None:
    person.serve(probe, "hello")
    url = f"http://{person.address()}"
    for name in COMPONENTS:
        cluster.kill_component(name)
    assert get(url) == "hello"
    cluster.up()
    path = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    assert person.kubectl("get", "pods", f"--output={path}") == "0"
    assert get(url) == "hello"


def test_an_unknown_part_is_refused_with_those_there_are(cluster: Cluster) -> None:
    with pytest.raises(ClusterFailed, match="no component 'kubelt'; there are etcd, kube-apiserver"):
        cluster.stop_component("kubelt")


def test_a_second_cluster_is_refused_with_what_is_in_its_way(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ClusterFailed) as raised:
        Cluster(Place(tmp_path / "second")).up()
    message = str(raised.value)
    assert "Port 2379 of 127.0.0.1 is taken, which etcd needs" in message
    assert "another kubelet runs here" in message
    assert not (tmp_path / "second").exists()
    assert cluster.node_ready()


def test_the_command_line_tells_what_runs(cluster: Cluster) -> None:
    def types(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "devcluster.cluster", *arguments]
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)

    told = types("status")
    assert told.returncode == 0, told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()[: len(COMPONENTS)]] == list(COMPONENTS)
    assert types("kubeconfig").stdout.strip() == str(cluster.kubeconfig)
    assert "apiserver" in types("logs", "kube-apiserver").stdout
    missing = types("load", "nothing.tar")
    assert missing.returncode == 1
    assert missing.stderr == "cluster: There is no image archive nothing.tar.\n"


def test_the_node_has_the_pinned_version_and_its_own_address(cluster: Cluster) -> None:
    node = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"][0]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == version("kubernetes")
    assert [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"] == [NODE_IP]
