"""The chart on a real cluster: its own test, Pod Security, Roles only, and a helm that was killed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.client_pod import ask_once
from devcluster.programs import program
from devcluster.release import CHART, Release, ReleaseFailed
from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.person import wait_for

pytestmark = pytest.mark.timeout(480)
_ELSEWHERE = "elsewhere"


@pytest.fixture
def restored(installed: Installed) -> Iterator[Release]:
    """May be upgraded at will: afterwards it is as it was."""
    yield installed.release
    installed.release.forget_interrupted()
    installed.release.install(installed.values)


@pytest.fixture
def elsewhere(installed: Installed) -> Iterator[str]:
    """Another namespace, which nobody has been told of."""
    installed.release.make_namespace(_ELSEWHERE)
    yield _ELSEWHERE
    installed.release.kubectl("delete", "namespace", _ELSEWHERE, "--ignore-not-found")


def declare(release: Release, namespace: str, name: str) -> None:
    """A provider that is simulated in the routers."""
    spec = {"type": "Simulated", "simulated": {"outputTokens": 3}, "models": [{"name": "any"}]}
    provider = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    release.kubectl("apply", "--filename=-", input=json.dumps(provider))


def is_ready(release: Release, namespace: str, name: str) -> bool:
    """Whether it is said to be."""
    status = release.json("modelprovider", name, f"--namespace={namespace}").get("status", {})
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))


def of_the_release(release: Release, kinds: str) -> list[str]:
    """Names of all objects of some kinds that belong to it."""
    selector = f"--selector=app.kubernetes.io/instance={release.name}"
    return release.kubectl("get", kinds, selector, "--all-namespaces", "--output=name").split()


def test_its_pods_run_where_restricted_is_enforced(installed: Installed) -> None:
    release = installed.release
    for component in ("operator", "router", "simulated", "redis"):
        assert release.pods(component), component
    with pytest.raises(ReleaseFailed, match=r"violates PodSecurity .restricted"):
        release.kubectl("run", "careless", "--image=localhost/none:1", f"--namespace={release.namespace}")


def test_helm_test_fails_without_a_router_and_passes_with_one(installed: Installed, restored: Release) -> None:
    test = ("test", restored.name, "--timeout=120s")
    routers = {**installed.values["router"], "replicas": 0}
    restored.install({**installed.values, "router": routers, "test": {"timeoutSeconds": 3}})
    with pytest.raises(ReleaseFailed, match=r"pod \S+ failed"):
        restored.helm(*test)
    restored.install(installed.values)
    assert "Succeeded" in restored.helm(*test)
    left = restored.kubectl("get", "pods,modelproviders", f"--namespace={restored.namespace}", "--output=name")
    assert "test" not in left


def test_with_roles_only_it_obeys_the_namespaces_that_are_named_and_sees_no_others(
    installed: Installed, restored: Release, elsewhere: str
) -> None:
    everywhere = of_the_release(restored, "clusterroles,clusterrolebindings")
    assert everywhere, "by default there is a ClusterRole"
    rbac: dict[str, Any] = {"watchNamespaces": [DEMO]}
    restored.install({**installed.values, "rbac": rbac})
    try:
        assert of_the_release(restored, "clusterroles,clusterrolebindings") == []
        declare(restored, elsewhere, "unseen")
        declare(restored, DEMO, "seen")
        wait_for(lambda: is_ready(restored, DEMO, "seen"), "the provider in a namespace that is named is Ready")
        assert not is_ready(restored, elsewhere, "unseen")
        assert "answers:" in ask_once(restored, DEMO, installed.image)
        assert "Succeeded" in restored.helm("test", restored.name, "--timeout=120s")
        assert restored.pods("operator"), "its operator goes on"
    finally:
        restored.kubectl("delete", "modelprovider", "seen", f"--namespace={DEMO}", "--ignore-not-found")
    restored.install(installed.values)
    wait_for(lambda: is_ready(restored, elsewhere, "unseen"), "with a ClusterRole the other one is Ready too")


def test_an_upgrade_whose_helm_was_killed_is_let_go_of(installed: Installed, restored: Release) -> None:
    routers = {**installed.values["router"], "podAnnotations": {"example.org/upgrade": "killed"}}
    command = [program("helm"), "upgrade", restored.name, CHART, "--namespace", restored.namespace, "--wait"]
    child = subprocess.Popen(
        [*map(str, command), "--values", "-"],
        env={**os.environ, **restored.environment, "KUBECONFIG": str(restored.kubeconfig)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None
    with child:
        try:
            child.stdin.write(json.dumps({**installed.values, "router": routers}))
            child.stdin.close()
            wait_for(lambda: _state(restored) == "pending-upgrade", "helm is at it")
        finally:
            child.kill()
    with pytest.raises(ReleaseFailed, match="another operation"):
        restored.install(installed.values)
    restored.forget_interrupted()
    restored.install(installed.values)
    assert _state(restored) == "deployed"


def _state(release: Release) -> str:
    """As helm has written it down."""
    return str(json.loads(release.helm("status", release.name, "--output=json"))["info"]["status"])
