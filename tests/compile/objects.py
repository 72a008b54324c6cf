"""Builders of raw objects, and a look into what was compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from fairlead_contract.fragments import AnyFragment, PolicyFragment, ProviderFragment, TenancyFragment
from fairlead_contract.snapshot import decode_fragment, unseal
from fairlead_crds.compile import (
    Compilation,
    Finding,
    Namespace,
    ObjectState,
    Previous,
    Resources,
    SecretVersions,
    Settings,
    compile_resources,
)

PLATFORM = "fairlead-system"
PRICE = {"inputUSDPerMillionTokens": "10", "outputUSDPerMillionTokens": "30"}
LABELLED = {"fairlead.dev/credentials": "provider"}


def raw(
    kind: str,
    name: str,
    spec: Mapping[str, Any],
    *,
    namespace: str = "team-a",
    generation: int = 1,
    uid: str | None = None,
    created: str | None = "2026-01-01T00:00:00Z",
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "uid": f"uid-{kind}-{namespace}-{name}" if uid is None else uid,
        "generation": generation,
    }
    if created is not None:
        metadata["creationTimestamp"] = created
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def model(name: str = "small", **fields: Any) -> dict[str, Any]:
    return {"name": name, "prices": [PRICE], **fields}


def provider(
    name: str = "openai",
    *,
    namespace: str = "team-a",
    generation: int = 1,
    uid: str | None = None,
    models: Iterable[Mapping[str, Any]] | None = None,
    url: str = "https://api.openai.com/v1",
    **spec: Any,
) -> dict[str, Any]:
    body = {
        "type": "OpenAICompatible",
        "endpoints": [{"name": "primary", "url": url}],
        "models": [model()] if models is None else list(models),
        **spec,
    }
    return raw("ModelProvider", name, body, namespace=namespace, generation=generation, uid=uid)


def ref(provider: str = "openai", model: str = "small", namespace: str | None = None) -> dict[str, Any]:
    where = {"name": provider} if namespace is None else {"name": provider, "namespace": namespace}
    return {"providerRef": where, "model": model}


def policy(
    name: str = "main",
    *,
    namespace: str = "team-a",
    generation: int = 1,
    uid: str | None = None,
    created: str | None = "2026-01-01T00:00:00Z",
    targets: Iterable[Mapping[str, Any]] = (),
    **spec: Any,
) -> dict[str, Any]:
    named = [{"name": f"t{position}", "modelRef": item} for position, item in enumerate(targets or [ref()])]
    return raw(
        "RoutingPolicy",
        name,
        {"targets": named, **spec},
        namespace=namespace,
        generation=generation,
        uid=uid,
        created=created,
    )


def budget(
    workspace: str,
    name: str = "budget",
    *,
    namespace: str = "team-a",
    generation: int = 1,
    uid: str | None = None,
    created: str | None = "2026-01-01T00:00:00Z",
    **spec: Any,
) -> dict[str, Any]:
    return raw(
        "WorkspaceBudget",
        name,
        {"workspace": workspace, **spec},
        namespace=namespace,
        generation=generation,
        uid=uid,
        created=created,
    )


def experiment(
    name: str = "test", *, namespace: str = "team-a", arms: Iterable[Mapping[str, Any]], **spec: Any
) -> dict[str, Any]:
    listed = list(arms)
    share = 100 // len(listed)
    weights = [100 - share * (len(listed) - 1), *[share] * (len(listed) - 1)]
    named = [
        {"name": f"arm{position}", "weightPercent": weight, **arm}
        for position, (arm, weight) in enumerate(zip(listed, weights, strict=True))
    ]
    metrics = [{"name": "Quality", "role": "Primary"}]
    return raw("ABTest", name, {"arms": named, "metrics": metrics, **spec}, namespace=namespace)


def broken(item: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """The next generation of an object, invalid unless ``spec`` says otherwise."""
    return edited(item, **(spec or {"surprise": True}))


def edited(item: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """The next generation of an object."""
    metadata = {**item["metadata"], "generation": item["metadata"]["generation"] + 1}
    return {**item, "metadata": metadata, "spec": {**item["spec"], **spec}}


def annotated(item: Mapping[str, Any], annotation: str, value: object) -> dict[str, Any]:
    """The same generation of an object with an annotation."""
    return {**item, "metadata": {**item["metadata"], "annotations": {annotation: value}}}


def secret(
    name: str = "keys",
    *,
    namespace: str = "team-a",
    keys: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    hosts: str | None = None,
) -> SecretVersions:
    annotations = {} if hosts is None else {"fairlead.dev/allowed-hosts": hosts}
    return SecretVersions(
        namespace, name, LABELLED if labels is None else labels, annotations, {"key": "v1"} if keys is None else keys
    )


def namespace(
    name: str, *, created_at: int = 0, uid: str = "", workspaces: str | None = None, **labels: str
) -> Namespace:
    annotations = {} if workspaces is None else {"fairlead.dev/workspaces": workspaces}
    return Namespace(name, uid, created_at, labels, annotations)


def compiled(
    *objects: Mapping[str, Any],
    namespaces: Iterable[Namespace] = (),
    secrets: Iterable[SecretVersions] = (),
    previous: Compilation | Previous | None = None,
    settings: Settings | None = None,
    epoch: int | None = None,
) -> Compilation:
    before = previous.previous if isinstance(previous, Compilation) else previous
    resources = Resources(objects, tuple(namespaces), tuple(secrets))
    return compile_resources(resources, before, settings or Settings(), epoch=epoch)


def fragments(compilation: Compilation) -> dict[str, AnyFragment]:
    """By ``Kind namespace/name``."""
    entries = unseal(compilation.snapshot).entries
    return {f"{entry.kind} {entry.namespace}/{entry.name}": decode_fragment(entry.fragment) for entry in entries}


def fragment_bytes(compilation: Compilation) -> dict[tuple[str, str, str], bytes]:
    entries = unseal(compilation.snapshot).entries
    return {(entry.kind, entry.namespace, entry.name): bytes(entry.fragment) for entry in entries}


def the_provider(compilation: Compilation, key: str = "team-a/openai") -> ProviderFragment:
    found = fragments(compilation)[f"ModelProvider {key}"]
    assert isinstance(found, ProviderFragment)
    return found


def the_policy(compilation: Compilation, key: str = "team-a/main") -> PolicyFragment:
    found = fragments(compilation)[f"RoutingPolicy {key}"]
    assert isinstance(found, PolicyFragment)
    return found


def the_tenancy(compilation: Compilation) -> TenancyFragment:
    found = fragments(compilation)["Tenancy /tenancy"]
    assert isinstance(found, TenancyFragment)
    return found


def state(compilation: Compilation, kind: str, key: str) -> ObjectState:
    return next(item for item in compilation.states if item.kind == kind and f"{item.namespace}/{item.name}" == key)


def said(compilation: Compilation) -> list[tuple[str, str, str]]:
    """(namespace/name, field, reason) of every finding."""
    return [(f"{item.namespace}/{item.name}", item.field, item.reason.value) for item in compilation.findings]


def about(compilation: Compilation, reason: str) -> list[Finding]:
    return [item for item in compilation.findings if item.reason == reason]


def encoded(compilation: Compilation) -> bytes:
    """Everything a compilation says, as bytes."""
    said_of_it = msgspec.json.encode([compilation.findings, compilation.states])
    return compilation.snapshot.to_bytes() + said_of_it
