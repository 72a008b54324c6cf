"""The chart's NetworkPolicies where a network enforces them: all that is needed goes through, and nothing else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devcluster.client_pod import ask_once, client_pod
from devcluster.release import Release
from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.fairlead.split import obeyed, set_weights
from tests.e2e.firewall import firewall, wait_until_guarded
from tests.e2e.person import wait_for

pytestmark = pytest.mark.timeout(480)
_DOORS = {"operator": [8080], "router": [3003, 9090], "redis": [6379], "simulated": [8000]}
_ALL = {f"{component}:{port}" for component, ports in _DOORS.items() for port in ports}
_KNOCK = """
import json, socket, sys
for name, address, port in json.loads(sys.argv[1]):
    with socket.socket() as client:
        client.settimeout(3)
        if client.connect_ex((address, port)) == 0:
            print(name)
"""
_STAND = "import time; time.sleep(600)"
_PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}


@pytest.fixture(scope="module")
def guarded(installed: Installed) -> Iterator[Release]:
    """With policies in force, and pods made anew: what was connected before would stay so under any rules."""
    release = installed.release
    where = f"--namespace={release.namespace}"
    with firewall(installed.cluster):
        for component in _DOORS:
            release.kubectl("rollout", "restart", where, _workload(release, component))
        for component in _DOORS:
            release.kubectl("rollout", "status", where, _workload(release, component), "--timeout=120s")
        wait_until_guarded([pod["status"]["podIP"] for component in _DOORS for pod in release.running(component)])
        yield release


def _workload(release: Release, component: str) -> str:
    return f"{'statefulset' if component == 'redis' else 'deployment'}/{release.name}-{component}"


def open_doors(release: Release, name: str, namespace: str, component: str | None = None) -> set[str]:
    """Ports of the chart's pods, as ``component:port``, that a pod can connect to now, but for those of its own ``component``.

    kube-router follows all rules of a policy in one chain, so what it lets out is let in where both ends are under that policy.
    """
    doors = [
        (f"{each}:{port}", pod["status"]["podIP"], port)
        for each, ports in _DOORS.items()
        if each != component
        for pod in release.running(each)
        for port in ports
    ]
    knock = ("python3", "-c", _KNOCK, json.dumps(doors))
    return set(release.kubectl("exec", name, f"--namespace={namespace}", "--", *knock).split())


@contextmanager
def stranger(installed: Installed, labels: dict[str, str]) -> Iterator[str]:
    """A pod in the namespace of applications; its name."""
    release, name, where = installed.release, f"stranger-{secrets.token_hex(3)}", f"--namespace={DEMO}"
    pod = client_pod(name, DEMO, installed.image, _STAND, {})
    pod["metadata"]["labels"] = labels
    release.kubectl("apply", "--filename=-", input=json.dumps(pod))
    try:
        release.kubectl("wait", "pod", name, where, "--for=condition=Ready", "--timeout=60s")
        yield name
    finally:
        release.kubectl("delete", "pod", name, where, "--now")


def test_without_a_firewall_every_door_is_open(installed: Installed) -> None:
    with stranger(installed, {}) as name:
        assert open_doors(installed.release, name, DEMO) == _ALL


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({}, {"router:3003"}, id="an application"),
        pytest.param(_PROMETHEUS, {"router:3003", "router:9090", "operator:8080"}, id="Prometheus"),
    ],
)
def test_others_reach_what_is_meant_for_them(
    installed: Installed, guarded: Release, labels: dict[str, str], expected: set[str]
) -> None:
    with stranger(installed, labels) as name:
        wait_for(lambda: open_doors(guarded, name, DEMO) == expected, f"they reach {expected} alone")


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("router", {"redis:6379", "simulated:8000"}),
        ("operator", {"router:9090"}),
        ("simulated", set()),
    ],
)
def test_pods_of_the_chart_reach_one_another_where_they_must(
    guarded: Release, component: str, expected: set[str]
) -> None:
    name = guarded.pods(component)[0]
    assert open_doors(guarded, name, guarded.namespace, component) == expected


def test_all_of_it_works(installed: Installed, guarded: Release) -> None:
    assert ask_once(guarded, DEMO, installed.image).startswith("default/harbour/")
    assert "Succeeded" in guarded.helm("test", guarded.name, "--timeout=120s")
    try:
        obeyed(installed, "harbour-large", set_weights(installed, 0, 100))
        # It is Ready once the routers told the operator that they run it.
        guarded.kubectl(
            "wait", "routingpolicy", "chat", f"--namespace={DEMO}", "--for=condition=Ready", "--timeout=60s"
        )
    finally:
        set_weights(installed, 90, 10)
