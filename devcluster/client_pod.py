"""A pod that calls the routers as an application does: through the Service's name, with an HTTP client and nothing of ours."""

from __future__ import annotations

import json
import secrets
from typing import Any

from devcluster.release import Release, ReleaseFailed

_ASK = """
import json, os, urllib.request
body = {"model": "auto", "messages": [{"role": "user", "content": "Which way to the harbour?"}]}
request = urllib.request.Request(
    os.environ["BASE_URL"] + "/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
)
with urllib.request.urlopen(request, timeout=30) as answer:
    said = json.load(answer)
    print(json.dumps({
        "decision": answer.headers["x-fairlead-decision"],
        "model": answer.headers["x-fairlead-model"],
        "text": said["choices"][0]["message"]["content"],
    }))
"""


RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
RESTRICTED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Security contexts that the `restricted` Pod Security Standard asks for, and a read-only root on top."""


def base_url(release: Release) -> str:
    """Where applications in the cluster go."""
    return f"http://{release.name}-router.{release.namespace}.svc.cluster.local/v1"


def client_pod(name: str, namespace: str, image: str, script: str, environment: dict[str, str]) -> dict[str, Any]:
    """A pod that runs a Python program once, by the rules of `restricted`."""
    container = {
        "name": "client",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-c", script],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": RESTRICTED_CONTAINER,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": RESTRICTED_POD,
            "containers": [container],
        },
    }


def ask_once(release: Release, namespace: str, image: str) -> str:
    """One request from a pod of ``namespace``: the answer, and in words why that model gave it. Raises ``ReleaseFailed``."""
    name = f"client-{secrets.token_hex(3)}"
    pod = client_pod(name, namespace, image, _ASK, {"BASE_URL": base_url(release)})
    release.kubectl("apply", "--filename=-", input=json.dumps(pod))
    where = f"--namespace={namespace}"
    try:
        phase = "--for=jsonpath={.status.phase}"
        try:
            release.kubectl("wait", "pod", name, where, f"{phase}=Succeeded", "--timeout=60s")
        except ReleaseFailed as error:
            logged = release.kubectl("logs", name, where, "--tail=20")
            raise ReleaseFailed(f"The request from pod {name} was not answered: {error}\n{logged}") from error
        said = json.loads(release.kubectl("logs", name, where))
    finally:
        release.kubectl("delete", "pod", name, where, "--wait=false", "--ignore-not-found")
    explained = why(release, said["decision"])
    return f"{said['model']} answers: {said['text']}\n\nfairlead why {said['decision']}\n\n{explained}"


def why(release: Release, decision: str) -> str:
    """What `fairlead why` says in the pod of the router that decided. Raises ``ReleaseFailed`` if none remembers."""
    for pod in release.pods("router"):
        try:
            return release.kubectl("exec", pod, f"--namespace={release.namespace}", "--", "fairlead", "why", decision)
        except ReleaseFailed:
            continue
    raise ReleaseFailed(f"No router of {release.namespace} remembers the decision {decision}.")
