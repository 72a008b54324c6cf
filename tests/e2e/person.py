"""What somebody in front of a cluster does, and how tests wait."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable

from devcluster.node.cluster import Cluster
from tests.e2e.objects import Object, as_list, deployment, pod, pod_spec, service

PROXY_SECONDS = 1.0
"""kube-proxy rewrites its rules no more often than this."""


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
    """Returns how long it took, in seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)
    return time.monotonic() - started


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode().strip())


def said(url: str) -> str:
    """Empty while nobody answers, as between two pods."""
    try:
        return get(url)
    except OSError:
        return ""


class Person:
    """Somebody who applies objects in one namespace and looks at what becomes of them."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, input=input)

    def apply(self, *objects: Object) -> None:
        self.kubectl("apply", "-f", "-", input=as_list(*objects))

    def serve(self, image: str, text: str, type: str = "ClusterIP") -> None:
        """A Deployment and a Service ``web`` that answer with a text."""
        ready = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
        self.apply(
            deployment("web", pod_spec(image, "serve", text, readinessProbe=ready)), service("web", 80, 8080, type)
        )
        self.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        address = self.address()
        wait_for(lambda: said(f"http://{address}") != "", "kube-proxy to lead to the pods")

    def wait_until_names_and_pods_answer(self) -> None:
        """After something that may have made pods unready: ``web`` and cluster DNS."""
        wait_for(self.cluster.node_ready, "the node to be Ready")
        address = self.address()
        wait_for(lambda: said(f"http://{address}") != "", "web to answer again")
        wait_for(lambda: said(f"http://{self.dns_pod()}:8181/ready") == "OK", "cluster DNS to answer again")
        time.sleep(2 * PROXY_SECONDS)

    def dns_pod(self) -> str:
        """Address of the pod of cluster DNS."""
        path = "jsonpath={.items[0].status.podIP}"
        return self.cluster.kubectl(
            "get", "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns", f"--output={path}"
        )

    def address(self) -> str:
        """The ClusterIP of ``web``."""
        return self.kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")

    def run(self, name: str, image: str, *arguments: str) -> tuple[str, str]:
        """How a pod ended, and what it printed."""
        self.apply(pod(name, pod_spec(image, *arguments)))
        path = "jsonpath={.status.phase}"
        wait_for(
            lambda: self.kubectl("get", "pod", name, f"--output={path}") in ("Succeeded", "Failed"),
            f"the end of {name}",
        )
        return self.kubectl("get", "pod", name, f"--output={path}"), self.kubectl("logs", name).strip()
