"""The chart as a release on a cluster, whoever made that: helm and kubectl for ``make cluster`` and the end-to-end tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcluster.programs import program

ROOT = Path(__file__).parent.parent
CHART = ROOT / "charts" / "fairlead"
_RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": value
    for mode, value in {"enforce": "restricted", "warn": "restricted", "audit": "restricted"}.items()
}


class ReleaseFailed(Exception):
    """helm or kubectl refused; the message is theirs."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release ``name`` in ``namespace`` of the cluster that ``kubeconfig`` names. Methods block."""

    kubeconfig: Path
    name: str = "fairlead"
    namespace: str = "fairlead-system"
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of both programs, as for folders of their caches."""

    def kubectl(self, *arguments: str | Path, input: str | None = None) -> str:
        """What it prints. Raises ``ReleaseFailed``."""
        return self._run("kubectl", *arguments, input=input)

    def helm(self, *arguments: str | Path, input: str | None = None) -> str:
        """What it prints, in the namespace of the release. Raises ``ReleaseFailed``."""
        return self._run("helm", *arguments, "--namespace", self.namespace, input=input)

    def json(self, *arguments: str) -> Any:
        """``kubectl get`` of something, parsed. Raises ``ReleaseFailed``."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def install(self, values: Mapping[str, Any], *, chart: Path = CHART, seconds: int = 180) -> None:
        """Install or upgrade, and wait until all pods are ready and those they replace gone.

        The namespace refuses pods that are not `restricted`. Pods that are on their way out still answer while they drain.

        Raises ``ReleaseFailed`` with what the pods said where they are the reason.
        """
        self.make_namespace(self.namespace)
        try:
            self.helm(
                *("upgrade", "--install", self.name, chart, "--values", "-"),
                *("--wait", "--timeout", f"{seconds}s"),
                input=json.dumps(values),
            )
        except ReleaseFailed as error:
            raise ReleaseFailed(f"{error}\n{self.troubles()}") from error
        for pod in self._found_pods():
            if "deletionTimestamp" in pod["metadata"]:
                name = f"pod/{pod['metadata']['name']}"
                self.kubectl("wait", name, f"--namespace={self.namespace}", "--for=delete", f"--timeout={seconds}s")

    def forget_interrupted(self) -> None:
        """Let go of an install or upgrade whose helm was killed: the next one would refuse, as that one might still run.

        Only where nobody else can be at it.
        """
        states = ",".join(f"pending-{action}" for action in ("install", "upgrade", "rollback"))
        selector = f"--selector=owner=helm,name={self.name},status in ({states})"
        self.kubectl("delete", "secrets", f"--namespace={self.namespace}", selector)

    def make_namespace(self, name: str) -> None:
        """A namespace in which Pod Security enforces `restricted`; twice is harmless."""
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _RESTRICTED}}
        self.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(manifest))

    def apply(self, path: Path) -> None:
        """Apply a file, or all files of a folder, also over what somebody has changed since."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename", path)

    def wait_until_ready(self, path: Path, *, seconds: int = 60) -> None:
        """Until every object of a file or folder has the condition Ready, for its newest generation."""
        self.kubectl("wait", "--for=condition=Ready", f"--timeout={seconds}s", "--filename", path)

    def running(self, component: str) -> list[Any]:
        """Its pods that run and are not about to end."""
        return [
            pod
            for pod in self._found_pods(f",app.kubernetes.io/component={component}")
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    def pods(self, component: str) -> list[str]:
        """Names of those."""
        return [pod["metadata"]["name"] for pod in self.running(component)]

    def troubles(self) -> str:
        """Pods of the release that are not ready: why, and the end of what they logged."""
        told = []
        for pod in self.json("pods", f"--namespace={self.namespace}")["items"]:
            conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
            if conditions.get("Ready") == "True" or pod["status"].get("phase") == "Succeeded":
                continue
            name = pod["metadata"]["name"]
            states = [status["state"] for status in pod["status"].get("containerStatuses", ())]
            told.append(f"{name}: {pod['status'].get('phase')} {json.dumps(states)}")
            try:
                told.append(
                    self.kubectl("logs", name, f"--namespace={self.namespace}", "--tail=15", "--all-containers")
                )
            except ReleaseFailed as error:
                told.append(str(error))
        return "\n".join(told)

    def _found_pods(self, more: str = "") -> list[Any]:
        selector = f"--selector=app.kubernetes.io/instance={self.name}{more}"
        found: list[Any] = self.json("pods", f"--namespace={self.namespace}", selector)["items"]
        return found

    def _run(self, name: str, *arguments: str | Path, input: str | None = None) -> str:
        command = [str(program(name)), *map(str, arguments)]
        variables = {**os.environ, **self.environment, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(command, input=input, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ReleaseFailed(f"{name} {' '.join(map(str, arguments))}: exit code {done.returncode}: {said[-4000:]}")
        return done.stdout
