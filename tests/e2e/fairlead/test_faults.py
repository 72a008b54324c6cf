"""Faults of a cluster under load. A request fails nowhere as long as one router and one provider are there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import pytest

from devcluster.client_pod import ask_once
from devcluster.release import ReleaseFailed
from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.fairlead.split import obeyed, set_targets, set_weights, targets_of
from tests.e2e.fairlead.traffic import FALLBACK, Seen, Traffic, ask
from tests.e2e.person import wait_for

pytestmark = pytest.mark.timeout(480)
Record = Callable[[Seen, float], None]
_AWAY_SECONDS = 120.0
_LONGEST_SECONDS = 10.0
_STREAMING = 2
"""Clients that stream. Each has one answer under way at most, which is not given a second time when it is cut."""


def _upgraded(installed: Installed, component: str) -> float:
    """`helm upgrade` with a change that replaces all of its pods, in order; returns how many seconds it took."""
    before, started = _uids(installed, component), time.monotonic()
    installed.values[component]["podAnnotations"] = {"example.org/upgrade": secrets.token_hex(4)}
    installed.release.install(installed.values)
    seconds = time.monotonic() - started
    assert before.isdisjoint(_uids(installed, component))
    return seconds


def _uids(installed: Installed, component: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in installed.release.running(component)}


def _kill(installed: Installed, component: str) -> str:
    """SIGKILL to all processes of one pod, whose object goes then too; returns its name."""
    release = installed.release
    metadata = release.running(component)[0]["metadata"]
    installed.cluster.kill_pod(metadata["uid"])
    name = str(metadata["name"])
    release.kubectl("delete", "pod", name, f"--namespace={release.namespace}", "--grace-period=0", "--force")
    return name


def _all_back(installed: Installed, component: str, gone: str, count: int) -> None:
    release = installed.release
    selector = f"--selector=app.kubernetes.io/instance={release.name},app.kubernetes.io/component={component}"

    def back() -> bool:
        pods = release.json("pods", f"--namespace={release.namespace}", selector)["items"]
        ready = [
            pod["metadata"]["name"]
            for pod in pods
            for condition in pod["status"].get("conditions", ())
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]
        return len(ready) == count and gone not in ready

    wait_for(back, f"{count} {component} pods are ready again", 120)


def _nothing_failed(seen: Seen) -> None:
    assert seen.failed == 0, seen.failures
    _nobody_waited_long(seen)


def _nobody_waited_long(seen: Seen) -> None:
    """All clients are in the middle of a request when a fault begins or wait for the next: none may hang and be saved late."""
    assert seen.slowest < _LONGEST_SECONDS


@pytest.fixture(autouse=True)
def _as_before(installed: Installed) -> None:
    """Each test finds the split of the examples."""
    set_weights(installed, 90, 10)


@pytest.mark.cluster_fault(
    "Rolling upgrade of the routers",
    "New ones are ready before old ones go, which drain; recovery is the whole rollout.",
)
def test_routers_are_upgraded_without_a_failed_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    seconds = _upgraded(installed, "router")
    seen = traffic.stop()
    _nothing_failed(seen)
    assert seen.retried == 0, "no connection is broken by a pod that ends in order"
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "Rolling upgrade of the operator",
    "Routers go on with what they have; recovery is until a changed policy is obeyed, which was changed at once.",
)
def test_the_operator_is_upgraded_and_changes_are_obeyed(
    installed: Installed, traffic: Traffic, record: Record
) -> None:
    where = f"--namespace={installed.release.namespace}"
    installed.release.kubectl("rollout", "restart", "deployment/fairlead-operator", where)
    changed = set_weights(installed, 0, 100)
    seconds = obeyed(installed, "harbour-large", changed)
    installed.release.kubectl("rollout", "status", "deployment/fairlead-operator", where, "--timeout=120s")
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "Rolling upgrade of Redis", "Each router goes on by itself until it is back; recovery is the whole rollout."
)
def test_redis_is_upgraded_without_a_failed_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    seconds = _upgraded(installed, "redis")
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "A router's pod killed",
    "Connections to it break, and streams under way; clients that try again reach the other; recovery: two are ready.",
)
def test_a_killed_router_costs_a_second_try_at_most(installed: Installed, traffic: Traffic, record: Record) -> None:
    started = time.monotonic()
    gone = _kill(installed, "router")
    _all_back(installed, "router", gone, 2)
    seconds = time.monotonic() - started
    seen = traffic.stop()
    assert all("stream: cut after status 200" in failure for failure in seen.failures), seen.failures
    assert seen.failed <= _STREAMING, seen.failures
    _nobody_waited_long(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The operator's pod killed", "Routers go on with what they have; recovery: a changed policy is obeyed."
)
def test_a_killed_operator_is_replaced_and_goes_on(installed: Installed, traffic: Traffic, record: Record) -> None:
    gone = _kill(installed, "operator")
    changed = set_weights(installed, 0, 100)
    seconds = obeyed(installed, "harbour-large", changed)
    _all_back(installed, "operator", gone, 1)
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The provider's pod killed",
    "The fallback answers; streams under way end in an error event; recovery: ten requests on end by the provider again.",
)
def test_a_killed_provider_leaves_everything_to_the_fallback(
    installed: Installed, traffic: Traffic, record: Record
) -> None:
    address, started = installed.address, time.monotonic()
    gone = _kill(installed, "simulated")
    wait_for(lambda: ask(address) == FALLBACK, "the fallback answers")
    _all_back(installed, "simulated", gone, 1)
    wait_for(lambda: all(ask(address) != FALLBACK for _ in range(10)), "the provider answers again", 90)
    seconds = time.monotonic() - started
    seen = traffic.stop()
    assert all("upstream_stream_interrupted" in failure for failure in seen.failures), seen.failures
    assert seen.failed <= _STREAMING, seen.failures
    assert seen.by_model[FALLBACK] > 0
    _nobody_waited_long(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The kubelet restarted",
    "Pods go on; recovery is from its start until a new pod has asked, been answered, and its decision explained.",
)
def test_a_restarted_kubelet_disturbs_no_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    installed.cluster.stop_component("kubelet")
    time.sleep(5)
    started = time.monotonic()
    installed.cluster.start_component("kubelet")
    ask_once(installed.release, DEMO, installed.image)
    seconds = time.monotonic() - started
    # Pods are looked at anew by a kubelet that starts: none of them may be called unready.
    time.sleep(10)
    assert installed.cluster.node_ready()
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The API server stopped for two minutes",
    "Routers and what they reach by name go on; recovery is from its start until a changed policy is obeyed, and most of it is "
    "kube-proxy's: it looks again after up to a minute, and until then the operator finds nobody at the API server's address.",
)
@pytest.mark.timeout(900)
def test_two_minutes_without_an_api_server_fail_nothing(installed: Installed, traffic: Traffic, record: Record) -> None:
    address = installed.address
    # Where they elect leaders these two end when they cannot renew their Lease, and are started anew. Left to run, the
    # controller manager would count the two minutes as the node's silence, and call all of its pods unready.
    others = ("kube-controller-manager", "kube-scheduler")
    for name in (*others, "kube-apiserver"):
        installed.cluster.stop_component(name)
    until = time.monotonic() + _AWAY_SECONDS
    while time.monotonic() < until:
        assert ask(address).startswith(f"{DEMO}/")
        time.sleep(1)
    started = time.monotonic()
    for name in ("kube-apiserver", *others):
        installed.cluster.start_component(name)
    set_weights(installed, 0, 100)
    seconds = obeyed(installed, "harbour-large", started)
    # Longer than the controller manager waits for a node.
    time.sleep(45)
    assert installed.cluster.node_ready()
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)
    _new_services_are_known(installed)


def _new_services_are_known(installed: Installed) -> None:
    """To kube-proxy and cluster DNS, each of which looks again at a time of its own after the API server was away."""
    release = installed.release
    where, name = f"--namespace={release.namespace}", f"new-{secrets.token_hex(3)}"
    release.kubectl(
        "expose", "service", f"{release.name}-router", where, f"--name={name}", "--port=80", "--target-port=http"
    )
    try:
        address = release.json("service", name, where)["spec"]["clusterIP"]
        look_up = f"import socket; socket.getaddrinfo('{name}.{release.namespace}.svc.cluster.local', 80)"
        router = release.pods("router")[0]

        def known() -> bool:
            try:
                release.kubectl("exec", router, where, "--", "python3", "-c", look_up)
                return ask(address).startswith(f"{DEMO}/")
            except (OSError, ReleaseFailed):
                return False

        wait_for(known, "a new Service is known by name and by address", 120)
    finally:
        release.kubectl("delete", "service", name, where)


@pytest.mark.cluster_fault(
    "A bad policy applied",
    "What the schema refuses is not stored; what points nowhere is left out, and a condition says so; recovery: until it does.",
)
def test_a_bad_policy_harms_no_request_and_says_what_is_wrong(
    installed: Installed, traffic: Traffic, record: Record
) -> None:
    targets = targets_of(installed)
    with pytest.raises(ReleaseFailed, match="needs at least one target with a weight above 0"):
        set_weights(installed, 0, 0)
    lost = {**targets[0], "modelRef": {"providerRef": {"name": "nobody"}, "model": "none"}}
    started = set_targets(installed, [lost, *targets[1:]])
    try:
        wait_for(lambda: "nobody" in _unresolved(installed), "the condition names the missing provider")
        seconds = time.monotonic() - started
        obeyed(installed, "harbour-large", started)
    finally:
        set_targets(installed, targets)
    wait_for(lambda: _unresolved(installed) == "", "the condition is gone")
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


def _unresolved(installed: Installed) -> str:
    """What the condition says that is False."""
    policy = installed.release.json("routingpolicy", "chat", f"--namespace={DEMO}")
    conditions = policy.get("status", {}).get("conditions", ())
    return " ".join(
        each["message"] for each in conditions if each["type"] == "ResolvedRefs" and each["status"] == "False"
    )
