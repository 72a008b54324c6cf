"""A large installation to measure with: many teams, providers and policies, different from one another."""

from __future__ import annotations

import random
import uuid
from typing import Any

from fairlead_crds.compile import Namespace, Resources, SecretVersions

PLATFORM = "fairlead-system"
_START = 1_700_000_000
_VENDORS = ("openai", "mistral", "together", "groq", "vllm", "llama-cpp", "deepinfra", "fireworks")
_FAMILIES = ("gpt-4o", "llama-3.1-70b", "mixtral-8x22b", "qwen2.5-coder-32b", "phi-4", "gemma-2-27b", "command-r")
_PURPOSES = (
    "checkout",
    "support",
    "search",
    "summaries",
    "translation",
    "code-review",
    "onboarding",
    "fraud",
    "reports",
)
_AGENTS = ("creative", "analyst", "coder", "planner", "critic", "retriever", "translator", "summarizer")
_TIERS = ("free", "standard", "premium", "internal")
_REGIONS = ("eu", "eu-west", "us", "us-east", "apac")
_COMPLIANCE = ("GDPR", "HIPAA", "CCPA", "SOC2")
_CAPABILITIES = ("Tools", "Vision", "JSONMode", "Reasoning")


def make_world(
    policies: int = 2000, providers: int = 500, models_per_provider: int = 2, namespaces: int = 100, seed: int = 1
) -> Resources:
    """The same arguments make the same world."""
    draw = random.Random(seed)
    teams = [f"team-{_PURPOSES[number % len(_PURPOSES)]}-{number:03d}" for number in range(namespaces)]
    made = [_provider(draw, number, models_per_provider, teams) for number in range(providers)]
    shared = [item for item in made if item["spec"]["allowedNamespaces"]["from"] == "All"] or made
    own: dict[str, list[dict[str, Any]]] = {}
    for item in made:
        own.setdefault(item["metadata"]["namespace"], []).append(item)
    objects = [*made]
    objects += [_policy(draw, number, teams, shared, own) for number in range(policies)]
    objects += [_budget(draw, team, shared) for team in teams]
    return Resources(
        objects=tuple(objects),
        namespaces=tuple(_namespace(draw, name) for name in (PLATFORM, *teams)),
        secrets=tuple(_secret(draw, namespace) for namespace in (PLATFORM, *teams)),
    )


def _metadata(draw: random.Random, namespace: str, name: str) -> dict[str, Any]:
    day, second = draw.randrange(1, 29), draw.randrange(60)
    return {
        "namespace": namespace,
        "name": name,
        "uid": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "generation": draw.randrange(1, 40),
        "creationTimestamp": f"2026-{draw.randrange(1, 10):02d}-{day:02d}T{draw.randrange(24):02d}:{second:02d}:00Z",
    }


def _object(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _namespace(draw: random.Random, name: str) -> Namespace:
    labels = {"kubernetes.io/metadata.name": name, "tier": draw.choice(_TIERS)}
    return Namespace(
        name, str(uuid.UUID(int=draw.getrandbits(128))), _START, labels, {"fairlead.dev/workspaces": f"ws-{name}-*"}
    )


def _secret(draw: random.Random, namespace: str) -> SecretVersions:
    keys = {key: f"{draw.getrandbits(64):016x}" for key in _VENDORS}
    return SecretVersions(namespace, "llm-keys", {"fairlead.dev/credentials": "provider"}, {}, keys)


def _money(draw: random.Random, most: int) -> str:
    return f"{draw.randrange(most)}.{draw.randrange(100):02d}"


def _provider(draw: random.Random, number: int, models: int, teams: list[str]) -> dict[str, Any]:
    vendor = draw.choice(_VENDORS)
    shared = number % 4 == 0 or not teams
    region = draw.choice(_REGIONS)
    host = f"{vendor}-{number:03d}.{region}.example.com"
    endpoints = [{"name": "primary", "url": f"https://{host}/v1", "region": region}]
    if draw.random() < 0.3:
        endpoints.append({"name": "backup", "url": f"https://backup.{host}/v1", "region": region, "role": "Backup"})
    return _object(
        "ModelProvider",
        _metadata(draw, PLATFORM if shared else draw.choice(teams), f"{vendor}-{number:03d}"),
        {
            "type": "OpenAICompatible",
            "endpoints": endpoints,
            "credentials": {"secretRef": {"name": "llm-keys", "key": vendor}},
            "models": [_model(draw, number, position) for position in range(models)],
            "allowedNamespaces": {"from": "All" if shared else "Same"},
        },
    )


def _model(draw: random.Random, number: int, position: int) -> dict[str, Any]:
    family = draw.choice(_FAMILIES)
    return {
        "name": f"{family}-{number:03d}-{position}",
        "displayName": f"{family.replace('-', ' ').title()} of fleet {number}",
        "version": f"{family}-2026-{draw.randrange(1, 13):02d}",
        "capabilities": ["TextGeneration", "Streaming", *draw.sample(_CAPABILITIES, draw.randrange(1, 5))],
        "contextWindowTokens": draw.choice((8192, 32768, 128000, 200000)),
        "maxOutputTokens": draw.choice((2048, 4096, 8192)),
        "prices": [
            {
                "effectiveTime": f"2026-{month:02d}-01T00:00:00Z",
                "inputUSDPerMillionTokens": _money(draw, 15),
                "outputUSDPerMillionTokens": _money(draw, 60),
            }
            for month in sorted(draw.sample(range(1, 10), draw.randrange(1, 3)))
        ],
        "compliance": [*sorted(draw.sample(_COMPLIANCE[1:], draw.randrange(0, 3))), "GDPR"],
    }


def _policy(
    draw: random.Random,
    number: int,
    teams: list[str],
    shared: list[dict[str, Any]],
    own: dict[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    platform = number % 50 == 0 or not teams
    namespace = PLATFORM if platform else draw.choice(teams)
    reachable = shared + own.get(namespace, [])
    match: dict[str, Any] = {}
    if draw.random() < 0.7:
        match["agentTypes"] = sorted(draw.sample(_AGENTS, draw.randrange(1, 4)))
    if draw.random() < 0.4 and not platform:
        match["workspaces"] = sorted({f"ws-{namespace}-{draw.randrange(20)}" for _ in range(draw.randrange(1, 4))})
    if draw.random() < 0.3:
        match["userTiers"] = sorted(draw.sample(_TIERS, draw.randrange(1, 3)))
    if draw.random() < 0.2:
        match["contentLengthCharacters"] = {"min": draw.randrange(1000), "max": draw.randrange(1000, 100_000)}
    if draw.random() < 0.6 or not match:
        match["headers"] = [{"name": "x-feature", "exact": f"{draw.choice(_PURPOSES)}-{draw.randrange(200)}"}]
    if draw.random() < 0.5:
        match["models"] = [f"{draw.choice(_PURPOSES)}-{draw.randrange(20)}"]
    spec: dict[str, Any] = {
        "priority": draw.randrange(1000),
        "match": match,
        "strategy": draw.choice(("Weighted", "Priority")),
        "targets": [
            {"name": name, "modelRef": _reference(draw, reachable), "weight": draw.randrange(1, 100)}
            for name in ("main", "second", "third")[: draw.randrange(1, 4)]
        ],
    }
    if draw.random() < 0.5:
        spec["fallbacks"] = [{"on": ["Error", "Timeout"], "modelRef": _reference(draw, reachable)}]
    if draw.random() < 0.1:
        spec["canary"] = {"modelRef": _reference(draw, reachable), "weightPercent": draw.randrange(1, 50)}
    if draw.random() < 0.1:
        spec["constraints"] = {"requiredCapabilities": [draw.choice(("Streaming", "Streaming", "Tools"))]}
    if draw.random() < 0.2:
        spec["affinity"] = {"unit": "Session", "ttlSeconds": draw.choice((600, 3600))}
    if platform:
        spec["precedence"] = draw.choice(("Override", "Default"))
        spec["match"]["headers"] = [{"name": "x-incident", "exact": f"{number}"}]
    return _object("RoutingPolicy", _metadata(draw, namespace, f"{draw.choice(_PURPOSES)}-{number:04d}"), spec)


def _reference(draw: random.Random, reachable: list[dict[str, Any]]) -> dict[str, Any]:
    provider = draw.choice(reachable)
    metadata = provider["metadata"]
    return {
        "providerRef": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "model": draw.choice(provider["spec"]["models"])["name"],
    }


def _budget(draw: random.Random, team: str, shared: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = {"workspace": f"ws-{team}-0"}
    if draw.random() < 0.5:
        spec["compliance"] = ["GDPR"]
    if draw.random() < 0.3:
        spec["allowedModels"] = [_reference(draw, shared) for _ in range(200)]
    return _object("WorkspaceBudget", _metadata(draw, team, f"budget-{team}"), spec)
