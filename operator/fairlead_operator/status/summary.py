"""The fields of status that belong to one kind and that the snapshot alone tells.

What takes traffic to know (health, spend, samples, requests matched) is not here, nor is anything about experiments,
which this version does not run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from fairlead_contract.fragments import AnyFragment, Canary, ModelRef, PolicyFragment, ProviderFragment
from fairlead_contract.snapshot import decode_fragment
from fairlead_crds.compile import Compilation, Reason
from fairlead_crds.compile.coverage import shadowed
from fairlead_crds.compile.declared import ObjectKey
from fairlead_operator.status.reasons import CanaryReason

MAX_NAMES = 32
"""As the CRD bounds the lists of ``effective``."""


def summaries(compilation: Compilation) -> dict[ObjectKey, dict[str, Any]]:
    """The fields for every object that has any, in the shape of the API; from what is published, not what is written."""
    in_force = list(_in_force(compilation))
    policies = [fragment for _, fragment in in_force if isinstance(fragment, PolicyFragment)]
    users = Counter(provider for policy in policies for provider in _providers(policy))
    result: dict[ObjectKey, dict[str, Any]] = {}
    for key, fragment in in_force:
        if isinstance(fragment, ProviderFragment):
            result[key] = {"modelCount": len(fragment.models), "usedByPolicies": users[key.namespace, key.name]}
        elif isinstance(fragment, PolicyFragment) and fragment.canary is not None:
            result[key] = {"canary": _canary(fragment.canary)}
    if any(item.reason is Reason.SHADOWED for item in compilation.findings):  # saves building the index to find none
        for key, effective in _effective(policies).items():
            result.setdefault(key, {})["effective"] = effective
    return result


def declared_endpoints(compilation: Compilation) -> dict[ObjectKey, tuple[str, ...]]:
    """Names of the endpoints of each provider in force, in the order of its spec."""
    return {
        key: tuple(endpoint.name for endpoint in fragment.endpoints)
        for key, fragment in _in_force(compilation)
        if isinstance(fragment, ProviderFragment)
    }


def _in_force(compilation: Compilation) -> Iterator[tuple[ObjectKey, AnyFragment]]:
    """Fragments as published. Those at hand are newer if a snapshot was too large to publish."""
    linked = compilation.previous.linked
    for key, entry in compilation.previous.entries.items():
        known = linked.get(key)
        if known is not None and known.entry.digest == entry.digest:
            yield key, known.fragment
            continue
        try:
            yield key, decode_fragment(entry.fragment)
        except msgspec.ValidationError:  # published by another version of the operator
            continue


def _providers(policy: PolicyFragment) -> set[tuple[str, str]]:
    """The providers whose models a policy names, each once."""
    named: list[ModelRef] = [target.model for target in policy.targets]
    named += [fallback.model for fallback in policy.fallbacks]
    if policy.canary is not None:
        named.append(policy.canary.model)
    return {(model.namespace, model.provider) for model in named}


def _canary(canary: Canary) -> dict[str, Any]:
    """Requests never go to a canary whose model cannot be found, whatever its share."""
    if canary.unresolved is not None:
        return {"weightPercent": 0, "reason": canary.unresolved}
    return {"weightPercent": canary.weight_percent, "reason": CanaryReason.AS_SPECIFIED.value}


def _effective(policies: Iterable[PolicyFragment]) -> Mapping[ObjectKey, dict[str, list[str]]]:
    """Who is never reached because of whom. Of several that cover a policy only the first consulted is named."""
    result: defaultdict[ObjectKey, dict[str, list[str]]] = defaultdict(dict)
    for below, above in shadowed(policies):
        result[_key(below)]["overriddenBy"] = [above.key]
        result[_key(above)].setdefault("shadows", []).append(below.key)
    for effective in result.values():
        if "shadows" in effective:
            effective["shadows"] = sorted(effective["shadows"])[:MAX_NAMES]
    return result


def _key(policy: PolicyFragment) -> ObjectKey:
    return ObjectKey("RoutingPolicy", policy.namespace, policy.name)
