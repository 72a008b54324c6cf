"""Objects that tests of the cluster apply, fit for the ``restricted`` Pod Security Standard."""

from __future__ import annotations

import json
from typing import Any

from devcluster.client_pod import RESTRICTED_CONTAINER, RESTRICTED_POD

Object = dict[str, Any]


def pod_spec(image: str, *arguments: str, **more: object) -> Object:
    """Of a pod with one container called ``main``; ``more`` goes into the container."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "securityContext": RESTRICTED_CONTAINER,
        **more,
    }
    return {"containers": [container], "securityContext": RESTRICTED_POD, "terminationGracePeriodSeconds": 2}


def pod(name: str, spec: Object) -> Object:
    """That neither serves nor is replaced."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", **spec}}


def deployment(name: str, spec: Object, replicas: int = 1) -> Object:
    """Labelled ``app``."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(name: str, port: int, target: int, type: str = "ClusterIP") -> Object:
    """For the pods of a Deployment of the same name."""
    spec = {"type": type, "selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def as_list(*objects: Object) -> str:
    """What ``kubectl apply -f -`` reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
