"""Starts each gateway in front of the suite's provider, and says what it is set up for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.peers.running import GATEWAYS, RECIPES, running_peer
from bench.proxy.processes import router
from fairlead_conformance.client import Gateway
from fairlead_conformance.lab import Declared

FAIRLEAD = "fairlead"
NAMES = (FAIRLEAD, *GATEWAYS)

_IDLE_SECONDS, _FIRST_BYTE_SECONDS, _TOTAL_SECONDS = 2, 4, 20


@dataclass(frozen=True, slots=True)
class Judged:
    """A gateway that runs."""

    title: str
    """Name and version."""
    gateway: Gateway
    declared: Declared


@contextmanager
def running_gateway(name: str, primary_url: str, fallback_url: str) -> Iterator[Judged]:
    """One of ``NAMES``, which sends to the first URL and turns to the second when that fails. Raises ``PeerUnavailable``."""
    if name == FAIRLEAD:
        with running_fairlead(primary_url, fallback_url) as judged:
            yield judged
        return
    with running_peer(name, primary_url, fallback_url=fallback_url) as peer:
        # No idle or first-byte timeout is set for these: what would be judged is their setup here, not what they do.
        gateway = Gateway(peer.url.removesuffix("/chat/completions"), peer.model, None, peer.headers)
        declared = Declared(fallback=RECIPES[name].falls_back)
        yield Judged(f"{peer.name} {peer.version}", gateway, declared)


@contextmanager
def running_fairlead(primary_url: str, fallback_url: str) -> Iterator[Judged]:
    """``fairlead serve --resources`` of this tree."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        scratch = Path(name)
        resources = scratch / "resources"
        resources.mkdir()
        (resources / "gateway.yaml").write_text(yaml.safe_dump_all(_resources(primary_url, fallback_url)))
        with router(["--resources", str(resources)], scratch, on=os.sched_getaffinity(0)) as server:
            gateway = Gateway(f"http://127.0.0.1:{server.port}/v1", "auto")
            declared = Declared(idle_seconds=_IDLE_SECONDS, first_byte_seconds=_FIRST_BYTE_SECONDS, fallback=True)
            yield Judged("Fairlead", gateway, declared)


def _resources(primary_url: str, fallback_url: str) -> list[dict[str, object]]:
    """Two providers and a policy that falls back from one to the other. Breakers stay shut: most cases are failures."""

    def target(provider: str) -> dict[str, object]:
        return {"providerRef": {"name": provider}, "model": "chat"}

    policy: dict[str, object] = {
        "strategy": "Priority",
        "targets": [{"name": "primary", "modelRef": target("primary"), "fallbackOrder": 1}],
        "fallbacks": [{"on": ["Error", "Timeout", "RateLimited"], "modelRef": target("fallback")}],
        "retries": {"attempts": 1, "totalSeconds": _TOTAL_SECONDS},
    }
    return [
        _object("ModelProvider", "primary", _provider(primary_url)),
        _object("ModelProvider", "fallback", _provider(fallback_url)),
        _object("RoutingPolicy", "chat", policy),
    ]


def _provider(url: str) -> dict[str, object]:
    return {
        "type": "OpenAICompatible",
        "endpoints": [{"name": "only", "url": url}],
        "models": [
            {
                "name": "chat",
                "capabilities": ["TextGeneration", "Streaming", "Tools", "JSONMode"],
                "contextWindowTokens": 1_000_000,
                "prices": [{"inputUSDPerMillionTokens": "1", "outputUSDPerMillionTokens": "2"}],
            }
        ],
        "timeouts": {
            "connectSeconds": 2,
            "firstByteSeconds": _FIRST_BYTE_SECONDS,
            "idleSeconds": _IDLE_SECONDS,
            "totalSeconds": _TOTAL_SECONDS,
        },
        "circuitBreaker": {"consecutiveFailures": 1000, "minRequests": 100_000, "failurePercent": 100},
    }


def _object(kind: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
