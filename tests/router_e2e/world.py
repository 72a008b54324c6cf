"""Builds the snapshots these tests offer to a router: real fragments, sealed as the operator seals them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairlead_contract.fragments import (
    AnyFragment,
    CircuitBreaker,
    Endpoint,
    Fallback,
    Match,
    Model,
    ModelRef,
    PolicyFragment,
    Price,
    ProviderFragment,
    Retries,
    SecretKey,
    Target,
    TenancyFragment,
    Timeouts,
    WorkspaceFragment,
)
from fairlead_contract.snapshot import Credential, Credentials, Sealed, make_entry, seal

TEAM = "team"
"""The namespace that owns every workspace nobody else claims."""

PRICE = Price(effective_at=0, input=1_000_000, output=2_000_000)
"""One micro-dollar per input token, two per output token."""

NEVER_OPENS = CircuitBreaker(consecutive_failures=1000, min_requests=1000)
"""For tests about something else than breakers."""

ONCE = Retries(attempts=0)
"""One attempt on each target."""


def ref(key: str, namespace: str = TEAM) -> ModelRef:
    """``provider/model``, or ``namespace/provider/model``."""
    parts = key.split("/", 2)
    return ModelRef(namespace, *parts) if len(parts) == 2 else ModelRef(*parts)


def model(name: str = "small", **fields: Any) -> Model:
    """A model under the same name upstream, with :data:`PRICE`, unless ``fields`` say otherwise."""
    return Model(**({"name": name, "upstream_name": f"{name}-upstream", "prices": (PRICE,)} | fields))


def endpoint(url: str, name: str = "main", **fields: Any) -> Endpoint:
    """One address."""
    return Endpoint(name=name, url=url, **fields)


def provider(
    url: str | Iterable[Endpoint],
    name: str = "acme",
    *,
    models: Iterable[str | Model] = ("small",),
    namespace: str = TEAM,
    **fields: Any,
) -> ProviderFragment:
    """A provider at one address or at several endpoints, whose breakers never open unless ``fields`` say otherwise."""
    endpoints = (endpoint(url),) if isinstance(url, str) else tuple(url)
    defaults: dict[str, Any] = {
        "uid": f"uid-{namespace}-{name}",
        "generation": 1,
        "type": "OpenAICompatible",
        "circuit_breaker": NEVER_OPENS,
    }
    return ProviderFragment(
        namespace=namespace,
        name=name,
        endpoints=endpoints,
        models=tuple(model(each) if isinstance(each, str) else each for each in models),
        **(defaults | fields),
    )


def target(key: str, weight: int = 100, order: int | None = None, **fields: Any) -> Target:
    """A target named after its model."""
    return Target(name=key.replace("/", "-"), model=ref(key), weight=weight, fallback_order=order, **fields)


def policy(
    *targets: Target | str,
    name: str = "route",
    namespace: str = TEAM,
    models: tuple[str, ...] = ("auto",),
    **fields: Any,
) -> PolicyFragment:
    """A policy for ``auto`` that takes ``targets`` in their order, each tried once, unless ``fields`` say otherwise."""
    defaults: dict[str, Any] = {
        "uid": f"uid-policy-{namespace}-{name}",
        "generation": 1,
        "created_at": 0,
        "strategy": "Priority",
        "match": Match(models=models),
        "retries": ONCE,
    }
    listed = tuple(
        target(each, order=place) if isinstance(each, str) else each for place, each in enumerate(targets, start=1)
    )
    return PolicyFragment(namespace=namespace, name=name, targets=listed, **(defaults | fields))


def fallback(key: str, *causes: str) -> Fallback:
    """A model to try for ``causes``."""
    return Fallback(causes=causes, model=ref(key))  # type: ignore[arg-type]


def workspace(name: str, *, allowed: Iterable[str] | None = None, **fields: Any) -> WorkspaceFragment:
    """What a workspace imposes; ``allowed`` lists models as :func:`ref` takes them."""
    return WorkspaceFragment(
        namespace=TEAM,
        name=name,
        uid=f"uid-workspace-{name}",
        generation=1,
        workspace=name,
        allowed_models=None if allowed is None else tuple(sorted(ref(each) for each in allowed)),
        **fields,
    )


def tenancy(owners: dict[str, str] | None = None, default: str | None = TEAM) -> TenancyFragment:
    """Who owns which workspace."""
    return TenancyFragment(
        namespace="", name="tenancy", uid="uid-tenancy", generation=1, owners=owners or {}, default_namespace=default
    )


def timeouts(**seconds: int) -> Timeouts:
    """``timeouts(first_byte=1)`` and so on; what is not named keeps its default."""
    return Timeouts(**{f"{name}_seconds": value for name, value in seconds.items()})


def sealed(*fragments: AnyFragment, revision: int = 1, epoch: int = 1) -> Sealed:
    """A snapshot of ``fragments``; adds a tenancy unless there is one."""
    everything = list(fragments)
    if not any(isinstance(fragment, TenancyFragment) for fragment in fragments):
        everything.append(tenancy())
    return seal([make_entry(each) for each in everything], compiler_version="e2e", epoch=epoch, revision=revision)


def secret(version: str = "1", name: str = "acme-key") -> SecretKey:
    """The reference to a provider's key."""
    return SecretKey(name=name, key="token", version=version)


def credentials(value: str, version: str = "1", name: str = "acme-key") -> Credentials:
    """The value of :func:`secret`."""
    return Credentials((Credential(namespace=TEAM, name=name, key="token", version=version, value=value),))
