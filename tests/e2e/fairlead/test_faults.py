"""Faults of a cluster under load. A request fails nowhere as long as one router and one provider are there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from devcluster.release import ReleaseFailed
from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.fairlead.traffic import FALLBACK, Seen, Traffic, ask, eventually

pytestmark = pytest.mark.timeout(480)
Record = Callable[[Seen, float], None]
_AWAY_SECONDS = 120.0


def _set_weights(installed: Installed, mini: int, large: int) -> float:
    """Change the split; returns when that was, for ``_obeyed``."""
    release = installed.release
    policy = release.json("routingpolicy", "chat", f"--namespace={DEMO}")
    for target in policy["spec"]["targets"]:
        target["weight"] = {"mini": mini, "large": large}[target["name"]]
    patch = json.dumps({"spec": {"targets": policy["spec"]["targets"]}})
    release.kubectl("patch", "routingpolicy", "chat", f"--namespace={DEMO}", "--type=merge", f"--patch={patch}")
    return time.monotonic()


def _obeyed(installed: Installed, model: str, since: float) -> float:
    """Seconds from ``since`` until the routers answer with ``model``, and none other, ten times on end."""
    address = installed.address

    def all_the_same() -> bool:
        try:
            return all(ask(address).endswith(f"/{model}") for _ in range(10))
        except OSError:
            return False

    eventually(all_the_same, f"{model} answers alone", 90)
    return time.monotonic() - since


def _rolled(installed: Installed, workload: str) -> float:
    """Replace all pods of it, one after the other; returns how many seconds it took."""
    release, started = installed.release, time.monotonic()
    where = f"--namespace={release.namespace}"
    release.kubectl("rollout", "restart", workload, where)
    release.kubectl("rollout", "status", workload, where, "--timeout=180s")
    return time.monotonic() - started


def _kill(installed: Installed, component: str) -> str:
    """SIGKILL to one pod, without a word of warning; returns its name."""
    release = installed.release
    name = release.pods(component)[0]
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

    eventually(back, f"{count} {component} pods are ready again", 120)


def _nothing_failed(seen: Seen) -> None:
    assert seen.failed == 0, seen.failures
    assert seen.answered > 100
    assert seen.streams > 20


@pytest.fixture(autouse=True)
def _as_before(installed: Installed) -> None:
    """Each test finds the split of the examples."""
    _set_weights(installed, 90, 10)


@pytest.mark.cluster_fault(
    "Rolling upgrade of the routers",
    "New ones are ready before old ones go, which drain; recovery is the whole rollout.",
)
def test_routers_are_upgraded_without_a_failed_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    seconds = _rolled(installed, "deployment/fairlead-router")
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
    changed = _set_weights(installed, 0, 100)
    seconds = _obeyed(installed, "harbour-large", changed)
    installed.release.kubectl("rollout", "status", "deployment/fairlead-operator", where, "--timeout=120s")
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "Rolling upgrade of Redis", "Each router goes on by itself until it is back; recovery is the whole rollout."
)
def test_redis_is_upgraded_without_a_failed_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    seconds = _rolled(installed, _redis_workload(installed))
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


def _redis_workload(installed: Installed) -> str:
    release = installed.release
    kinds = release.json("deployments,statefulsets", f"--namespace={release.namespace}")["items"]
    (found,) = [each for each in kinds if each["metadata"]["name"] == f"{release.name}-redis"]
    return f"{found['kind'].lower()}/{found['metadata']['name']}"


@pytest.mark.cluster_fault(
    "A router's pod killed", "Connections to it break; clients that try again reach the other; recovery: two are ready."
)
def test_a_killed_router_costs_a_second_try_at_most(installed: Installed, traffic: Traffic, record: Record) -> None:
    started = time.monotonic()
    gone = _kill(installed, "router")
    _all_back(installed, "router", gone, 2)
    seconds = time.monotonic() - started
    seen = traffic.stop()
    cut = [failure for failure in seen.failures if "cut after status 200" in failure]
    assert len(cut) == seen.failed, seen.failures
    assert len(cut) <= 4, "no more than the answers that this pod was in the middle of"
    assert seen.answered > 100
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The operator's pod killed", "Routers go on with what they have; recovery: a changed policy is obeyed."
)
def test_a_killed_operator_is_replaced_and_goes_on(installed: Installed, traffic: Traffic, record: Record) -> None:
    gone = _kill(installed, "operator")
    changed = _set_weights(installed, 0, 100)
    seconds = _obeyed(installed, "harbour-large", changed)
    _all_back(installed, "operator", gone, 1)
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The provider's pod killed", "The fallback answers; recovery: ten requests on end by the provider again."
)
def test_a_killed_provider_leaves_everything_to_the_fallback(
    installed: Installed, traffic: Traffic, record: Record
) -> None:
    address, started = installed.address, time.monotonic()
    gone = _kill(installed, "simulated")
    eventually(lambda: ask(address) == FALLBACK, "the fallback answers")
    _all_back(installed, "simulated", gone, 1)
    eventually(lambda: all(ask(address) != FALLBACK for _ in range(10)), "the provider answers again", 90)
    seconds = time.monotonic() - started
    seen = traffic.stop()
    cut = [failure for failure in seen.failures if "stream" in failure]
    assert len(cut) == seen.failed, seen.failures
    assert seen.by_model[FALLBACK] > 0
    record(seen, seconds)


@pytest.mark.cluster_fault("The kubelet restarted", "Pods go on; recovery: its node is Ready.")
def test_a_restarted_kubelet_disturbs_no_request(installed: Installed, traffic: Traffic, record: Record) -> None:
    started = time.monotonic()
    installed.cluster.stop_component("kubelet")
    time.sleep(5)
    installed.cluster.start_component("kubelet")
    eventually(installed.cluster.node_ready, "the node is Ready")
    seconds = time.monotonic() - started
    # Pods are looked at anew by a kubelet that starts: none of them may be called unready.
    time.sleep(10)
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "The API server stopped for two minutes",
    "Routers and what they reach by name go on; recovery is from its start until a changed policy is obeyed.",
)
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
    _set_weights(installed, 0, 100)
    seconds = _obeyed(installed, "harbour-large", started)
    # Longer than the controller manager waits for a node.
    time.sleep(45)
    assert installed.cluster.node_ready()
    seen = traffic.stop()
    _nothing_failed(seen)
    record(seen, seconds)


@pytest.mark.cluster_fault(
    "A bad policy applied",
    "What the schema refuses is not stored; what points nowhere is said so in its conditions; recovery: until it says so.",
)
def test_a_bad_policy_harms_no_request_and_says_what_is_wrong(
    installed: Installed, traffic: Traffic, record: Record
) -> None:
    release = installed.release
    with pytest.raises(ReleaseFailed, match="spec"):
        _apply_policy(installed, {"strategy": "Weighted", "targets": []})
    started = time.monotonic()
    target = {"name": "nowhere", "modelRef": {"providerRef": {"name": "nobody"}, "model": "none"}, "weight": 100}
    _apply_policy(installed, {"strategy": "Weighted", "targets": [target]})
    try:
        eventually(lambda: "nobody" in _unresolved(installed), "the condition names the missing provider")
        seconds = time.monotonic() - started
        time.sleep(5)
        seen = traffic.stop()
    finally:
        release.kubectl("delete", "routingpolicy", "bad", f"--namespace={DEMO}", "--ignore-not-found")
    _nothing_failed(seen)
    record(seen, seconds)


def _apply_policy(installed: Installed, spec: dict[str, Any]) -> None:
    metadata = {"name": "bad", "namespace": DEMO}
    policy = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "RoutingPolicy", "metadata": metadata, "spec": spec}
    installed.release.kubectl("apply", "--filename=-", input=json.dumps(policy))


def _unresolved(installed: Installed) -> str:
    """What the condition says that is False."""
    policy = installed.release.json("routingpolicy", "bad", f"--namespace={DEMO}")
    conditions = policy.get("status", {}).get("conditions", ())
    return " ".join(
        each["message"] for each in conditions if each["type"] == "ResolvedRefs" and each["status"] == "False"
    )
