"""The world of ``bench.decide`` as objects to create on an API server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from bench.decide.world import PLATFORM, make_world
from fairlead_crds.compile import Resources


def large_world(policies: int, providers: int) -> Resources:
    """The same arguments make the same world."""
    return make_world(policies, providers, namespaces=max(1, policies // 20))


def namespaces_of(world: Resources) -> Iterator[dict[str, Any]]:
    """All but the one that is there."""
    for item in world.namespaces:
        if item.name != PLATFORM:
            labels = {name: value for name, value in item.labels.items() if "kubernetes.io/" not in name}
            metadata = {"name": item.name, "labels": labels, "annotations": dict(item.annotations)}
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def secrets_of(world: Resources) -> Iterator[dict[str, Any]]:
    """With invented values: the world knows only versions of them."""
    for item in world.secrets:
        data = {key: base64.b64encode(f"invented-{value}".encode()).decode() for key, value in item.keys.items()}
        metadata = {"name": item.name, "namespace": item.namespace, "labels": dict(item.labels)}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def objects_of(world: Resources) -> Iterator[dict[str, Any]]:
    """Without what the API server gives: uid, generation, time of creation."""
    for item in world.objects:
        metadata = {name: item["metadata"][name] for name in ("name", "namespace")}
        yield {**item, "metadata": metadata}
