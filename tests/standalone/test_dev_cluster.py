"""``make dev-cluster``: one command gives a person the whole of it, another takes it away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster.binaries import find_binaries
from tests.standalone.running import ROOT, wait_for

pytestmark = pytest.mark.timeout(180)

POLICY = """
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: chat, namespace: default}
spec:
  strategy: Priority
  targets: [{name: only, modelRef: {providerRef: {name: sim-swift}, model: sim-swift-mini}}]
"""


@dataclass
class Person:
    """Somebody at a terminal, with a home of their own."""

    state_home: Path

    @property
    def folder(self) -> Path:
        return self.state_home / "fairlead" / "dev-cluster"

    def types(self, *arguments: str) -> str:
        """What is printed."""
        done = subprocess.run(
            [sys.executable, "-m", "devcluster", *arguments],
            cwd=ROOT,
            env={**os.environ, "XDG_STATE_HOME": str(self.state_home)},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """With the kubeconfig that was printed."""
        command = [str(find_binaries().kubectl), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.folder / "control-plane" / "admin.kubeconfig")}
        done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def logs(self) -> str:
        return "\n".join(f"{path}:\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.log"))

    def processes(self) -> dict[int, str]:
        """Those that know the folder."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.folder) in command:
                    found[int(entry.name)] = command
        return found


def model_of(router: str) -> str | None:
    """Which model answers there now."""
    body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "Which way?"}]}
    request = urllib.request.Request(f"{router}/v1/chat/completions", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return str(json.loads(response.read())["model"])
    except OSError:
        return None


def routers_in(told: str) -> list[str]:
    """The addresses that were printed."""
    return re.findall(r"^  (http://localhost:\d+)    metrics", told, re.MULTILINE)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    somebody = Person(tmp_path)
    try:
        yield somebody
    finally:
        somebody.types("down", "--delete")
        assert somebody.processes() == {}


def test_up_gives_a_cluster_that_obeys_and_mends_itself_and_down_leaves_nothing_running(person: Person) -> None:
    told = person.types("up")
    routers = routers_in(told)
    assert len(routers) == 2
    assert f"export KUBECONFIG={person.folder}" in told
    assert f"curl -i {routers[0]}/v1/chat/completions" in told
    assert "make dev-cluster-down" in told
    assert person.kubectl("get", "routingpolicies", "--output=name").split() == [
        f"routingpolicy.fairlead.dev/{name}" for name in ("chat", "creative", "premium")
    ]

    # An edit is obeyed by both.
    person.kubectl(
        "apply",
        "--filename=-",
        given=POLICY.replace("sim-swift-mini", "sim-atlas-large").replace("sim-swift", "sim-atlas"),
    )
    for router in routers:
        wait_for(lambda router=router: model_of(router) == "sim-atlas-large", f"{router} to obey")

    # Once more is harmless.
    before = person.processes()
    again = person.types("up")
    assert "running already" in again
    assert routers_in(again) == routers
    assert person.processes() == before

    # What is killed comes back.
    (victim,) = (pid for pid, command in before.items() if "router-1.last-good" in command)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: model_of(routers[1]) is None, "the router to be gone")
    wait_for(lambda: model_of(routers[1]) == "sim-atlas-large", "the router to be back")

    assert "stopped" in person.types("down")
    assert person.processes() == {}
    assert "does not run" in person.types("down")

    # The data is there the next time, and the examples do not overwrite it.
    for router in routers_in(person.types("up")):
        assert model_of(router) == "sim-atlas-large"

    # Nothing outlives a supervisor that is killed.
    os.kill(int((person.folder / "supervisor.lock").read_text()), signal.SIGKILL)
    wait_for(lambda: person.processes() == {}, "all processes to be gone")
    assert "does not run" in person.types("down", "--delete")
    assert not person.folder.exists()
