"""The objects of a small world, as they are declared."""

from __future__ import annotations

from typing import Any

API_VERSION = "fairlead.dev/v1alpha1"
MODEL = "m"


def provider(name: str, namespace: str = "default") -> dict[str, Any]:
    """Answers by itself within milliseconds."""
    simulated = {"firstByteMilliseconds": 5, "perTokenMilliseconds": 0, "outputTokens": 4, "seed": 1}
    return _object("ModelProvider", name, namespace, {"type": "Simulated", "simulated": simulated, "models": [_MODEL]})


def provider_with_key(name: str, secret: str, namespace: str = "default") -> dict[str, Any]:
    """Needs the key ``key`` of ``secret``. Nobody is at its address: it is there to be published."""
    spec = {
        "type": "OpenAICompatible",
        "endpoints": [{"name": "main", "url": "https://127.0.0.1:9/v1"}],
        "credentials": {"secretRef": {"name": secret, "key": "key"}},
        "models": [_MODEL],
    }
    return _object("ModelProvider", name, namespace, spec)


def secret(name: str, value: str, namespace: str = "default") -> dict[str, Any]:
    """A labelled Secret."""
    labels = {"fairlead.dev/credentials": "provider"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "stringData": {"key": value},
    }


def policy(name: str, provider: str, namespace: str = "default", priority: int = 0) -> dict[str, Any]:
    """Sends all that it matches to the one model of ``provider``."""
    reference = {"providerRef": {"name": provider}, "model": MODEL}
    spec = {"priority": priority, "strategy": "Weighted", "targets": [{"name": "only", "modelRef": reference}]}
    return _object("RoutingPolicy", name, namespace, spec)


def namespace(name: str, **annotations: str) -> dict[str, Any]:
    """A namespace, whose removal the test answers for."""
    metadata = {"name": name, "labels": {"fairlead-test": "true"}, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


_MODEL = {"name": MODEL, "prices": [{"inputUSDPerMillionTokens": "1", "outputUSDPerMillionTokens": "2"}]}


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
