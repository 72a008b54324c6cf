"""What the router serves while it is measured: twenty policies of which one matches, and one provider."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import yaml

from fairlead_crds.compile import Resources, Settings, compile_resources

POLICIES = 20
NAMESPACE = "default"
_AGENTS = ("coder", "analyst", "creative", "planner", "critic")


def make_objects(upstream_port: int) -> list[dict[str, Any]]:
    """A provider at ``upstream_port`` of this machine, and policies that differ in what they match."""
    models = [
        {
            "name": name,
            "capabilities": ["TextGeneration", "Streaming", "Tools"],
            "contextWindowTokens": 128_000,
            "maxOutputTokens": 4096,
            "prices": [{"inputUSDPerMillionTokens": "0.15", "outputUSDPerMillionTokens": "0.60"}],
        }
        for name in ("small", "large")
    ]
    endpoints = [{"name": "primary", "url": f"http://127.0.0.1:{upstream_port}/v1"}]
    provider = _object("ModelProvider", "mock", {"type": "OpenAICompatible", "endpoints": endpoints, "models": models})
    return [provider, *(_policy(number) for number in range(POLICIES))]


def _policy(number: int) -> dict[str, Any]:
    match: dict[str, Any] = {}
    if number:
        match = {
            "models": ["auto"],
            "agentTypes": [_AGENTS[number % len(_AGENTS)]],
            "headers": [{"name": "x-feature", "exact": f"feature-{number}"}],
        }
    targets = [
        {"name": name, "modelRef": {"providerRef": {"name": "mock"}, "model": name}, "weight": weight}
        for name, weight in (("small", 70), ("large", 30))
    ]
    return _object("RoutingPolicy", f"policy-{number:02d}", {"priority": number, "match": match, "targets": targets})


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "namespace": NAMESPACE,
        "name": name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}")),
        "generation": 1,
    }
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def write_snapshot(objects: list[dict[str, Any]], path: Path) -> None:
    """Compile ``objects`` into a snapshot file."""
    compiled = compile_resources(Resources(objects=tuple(objects)), None, Settings(default_namespace=NAMESPACE))
    errors = [finding.message for finding in compiled.findings if finding.severity.value == "Error"]
    if errors:
        raise ValueError(f"the installation to measure with is wrong: {errors}")
    path.write_bytes(compiled.snapshot.to_bytes())


def write_resources(objects: list[dict[str, Any]], folder: Path) -> None:
    """Write ``objects`` as the YAML that somebody would have written."""
    written = [item | {"metadata": {key: item["metadata"][key] for key in ("namespace", "name")}} for item in objects]
    (folder / "installation.yaml").write_text(yaml.safe_dump_all(written, sort_keys=False))
