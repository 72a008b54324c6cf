"""Clients in a pod of their own that never stop asking, and one outside that asks once."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from devcluster.client_pod import base_url, client_pod
from devcluster.release import Release, ReleaseFailed
from tests.e2e.person import wait_for

_PROGRAM = Path(__file__).with_name("load_program.py")
_MOST_SECONDS = 420
_QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Which way?"}], "max_tokens": 20}
FALLBACK = "default/anchor/anchor-base"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients have seen so far."""

    answered: int
    streams: int
    retried: int
    """Sent again as the connection broke before an answer began, as SDKs do."""
    failed: int
    by_model: dict[str, int]
    last: str
    """Which model answered last: ``namespace/provider/model``."""
    slowest: float
    """Seconds, waits for another try included."""
    failures: list[str]


class Traffic:
    """About twenty requests a second, whole and streamed, on kept and on new connections, through the Service's name."""

    def __init__(self, release: Release, namespace: str, image: str) -> None:
        """Starts; returns when the first hundred are answered."""
        self._release = release
        self._name = f"load-{secrets.token_hex(3)}"
        self._where = f"--namespace={namespace}"
        environment = {"BASE_URL": base_url(release), "MOST_SECONDS": str(_MOST_SECONDS)}
        pod = client_pod(self._name, namespace, image, _PROGRAM.read_text(), environment)
        pod["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
        release.kubectl("apply", "--filename=-", input=json.dumps(pod))
        release.kubectl("wait", "pod", self._name, self._where, "--for=condition=Ready", "--timeout=60s")
        wait_for(lambda: self.seen().answered >= 100, "the first hundred requests are answered")

    def seen(self) -> Seen:
        """Until now. Takes an API server that answers; raises ``ReleaseFailed``."""
        command = ("exec", self._name, self._where, "--", "cat", "/tmp/state.json")
        try:
            return Seen(**json.loads(self._release.kubectl(*command)))
        except ReleaseFailed as error:
            if "No such file" in str(error):
                return Seen(0, 0, 0, 0, {}, "", 0.0, [])
            raise

    def stop(self) -> Seen:
        """All of it, when the last answer is there. Raises ``ReleaseFailed`` if the clients have ended before."""
        self._release.kubectl("exec", self._name, self._where, "--", "touch", "/tmp/stop")
        phase = "--for=jsonpath={.status.phase}=Succeeded"
        self._release.kubectl("wait", "pod", self._name, self._where, phase, "--timeout=60s")
        return Seen(**json.loads(self._release.kubectl("logs", self._name, self._where).splitlines()[-1]))

    def remove(self) -> None:
        """The pod too, whatever it does."""
        self._release.kubectl("delete", "pod", self._name, self._where, "--ignore-not-found", "--grace-period=1")


def ask(address: str) -> str:
    """Which model answers a request from this machine to ``address`` of the Service. Raises ``OSError``."""
    request = urllib.request.Request(
        f"http://{address}/v1/chat/completions", json.dumps(_QUESTION).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=15) as answer:
        answer.read()
        return str(answer.headers["x-fairlead-model"])
