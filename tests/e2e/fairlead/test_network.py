"""The chart's NetworkPolicies where a network enforces them: all that is needed goes through, and nothing else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from devcluster.client_pod import ask_once, client_pod
from devcluster.release import Release
from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.fairlead.traffic import ask
from tests.e2e.firewall import firewall
from tests.e2e.person import wait_for

pytestmark = pytest.mark.timeout(480)
_WORKLOADS = (
    *("deployment/fairlead-operator", "deployment/fairlead-router", "deployment/fairlead-simulated"),
    "statefulset/fairlead-redis",
)
_PORTS = {"operator": [8080], "router": [3003, 9090], "redis": [6379], "simulated": [8000]}
_KNOCK = """
import json, os, socket
for name, address, port in json.loads(os.environ["DOORS"]):
    with socket.socket() as client:
        client.settimeout(3)
        if client.connect_ex((address, port)) == 0:
            print(name)
"""


@pytest.fixture
def guarded(installed: Installed) -> Iterator[Release]:
    """With policies in force, and every connection made under them."""
    release = installed.release
    where = f"--namespace={release.namespace}"
    with firewall(installed.cluster):
        release.kubectl("rollout", "restart", where, *_WORKLOADS)
        for workload in _WORKLOADS:
            release.kubectl("rollout", "status", where, workload, "--timeout=120s")
        yield release


def open_doors(installed: Installed, namespace: str) -> set[str]:
    """Ports of the chart's pods that a pod of ``namespace`` can connect to, as ``component:port``."""
    release = installed.release
    pods = release.json("pods", f"--namespace={release.namespace}")["items"]
    doors = [
        (f"{component}:{port}", pod["status"]["podIP"], port)
        for component, ports in _PORTS.items()
        for pod in pods
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") == component
        if "deletionTimestamp" not in pod["metadata"]
        for port in ports
    ]
    name, where = f"knock-{secrets.token_hex(3)}", f"--namespace={namespace}"
    pod = client_pod(name, namespace, installed.image, _KNOCK, {"DOORS": json.dumps(doors)})
    release.kubectl("apply", "--filename=-", input=json.dumps(pod))
    try:
        release.kubectl("wait", "pod", name, where, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s")
        return set(release.kubectl("logs", name, where).split())
    finally:
        release.kubectl("delete", "pod", name, where, "--wait=false")


def metric(release: Release, name: str) -> str:
    """Its value in one router, as Prometheus reads it."""
    read = "import urllib.request as u; print(u.urlopen('http://localhost:9090/metrics').read().decode())"
    where = f"--namespace={release.namespace}"
    text = release.kubectl("exec", release.pods("router")[0], where, "--", "python3", "-c", read)
    (value,) = [line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return value


def test_without_a_firewall_every_door_is_open(installed: Installed) -> None:
    everything = {f"{component}:{port}" for component, ports in _PORTS.items() for port in ports}
    assert open_doors(installed, DEMO) == everything


def test_strangers_reach_the_routers_for_requests_and_nothing_else(installed: Installed, guarded: Release) -> None:
    assert open_doors(installed, DEMO) == {"router:3003"}


def test_everything_works_that_is_needed(installed: Installed, guarded: Release) -> None:
    assert ask_once(guarded, DEMO, installed.image).startswith("default/harbour/")
    assert "Succeeded" in guarded.helm("test", guarded.name, "--timeout=120s")
    wait_for(lambda: metric(guarded, "fairlead_store_available") == "1.0", "routers reach Redis")
    # Through the API server to the operator, to the routers and back: it is Ready when routers said what they run.
    where = f"--namespace={DEMO}"
    policy = guarded.json("routingpolicy", "chat", where)
    targets = [{**target, "weight": 100 * (target["name"] == "large")} for target in policy["spec"]["targets"]]
    patch = json.dumps({"spec": {"targets": targets}})
    guarded.kubectl("patch", "routingpolicy", "chat", where, "--type=merge", f"--patch={patch}")
    try:
        generation = guarded.json("routingpolicy", "chat", where)["metadata"]["generation"]
        observed = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
        guarded.kubectl("wait", "routingpolicy", "chat", where, observed, "--timeout=60s")
        guarded.kubectl("wait", "routingpolicy", "chat", where, "--for=condition=Ready", "--timeout=60s")
        assert {ask(installed.address) for _ in range(5)} == {"default/harbour/harbour-large"}
    finally:
        patch = json.dumps({"spec": {"targets": policy["spec"]["targets"]}})
        guarded.kubectl("patch", "routingpolicy", "chat", where, "--type=merge", f"--patch={patch}")
