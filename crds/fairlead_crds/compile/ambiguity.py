"""Model names that a namespace sees twice, so that calling one by its bare name is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from fairlead_contract.fragments import ProviderFragment
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Reason, Severity

_NAMED_AT_MOST = 3


def findings(providers: Iterable[ProviderFragment], namespaces: Iterable[str]) -> list[Finding]:
    """A warning at each model whose name some namespace also sees at another provider.

    Visibility is a set of namespaces held as one integer: a name is ambiguous where two of them meet.
    """
    bits = {name: 1 << position for position, name in enumerate(sorted(namespaces))}
    offers: defaultdict[str, list[tuple[ProviderFragment, int]]] = defaultdict(list)
    for provider in sorted(providers, key=lambda item: (item.namespace, item.name)):
        for position, model in enumerate(provider.models):
            offers[model.name].append((provider, position))
    masks: dict[str, int] = {}
    result = []
    for name, offering in offers.items():
        if len(offering) < 2:
            continue
        for provider, _ in offering:
            if provider.key not in masks:
                masks[provider.key] = _visibility(provider, bits)
        once = twice = 0
        for provider, _ in offering:
            mask = masks[provider.key]
            twice |= once & mask
            once |= mask
        for provider, position in offering:
            shared = masks[provider.key] & twice
            if shared:
                result.append(_finding(name, provider, position, shared, offering, masks))
    return result


def _visibility(provider: ProviderFragment, bits: Mapping[str, int]) -> int:
    if provider.visible_from == "All":
        return (1 << len(bits)) - 1
    mask = bits.get(provider.namespace, 0)
    if provider.visible_from == "Selector":
        for name in provider.visible_namespaces:
            mask |= bits.get(name, 0)
    return mask


def _finding(
    name: str,
    provider: ProviderFragment,
    position: int,
    shared: int,
    offering: list[tuple[ProviderFragment, int]],
    masks: Mapping[str, int],
) -> Finding:
    named = []
    for other, _ in offering:
        if other is not provider and masks[other.key] & shared:
            named.append(other.key)
            if len(named) > _NAMED_AT_MOST:
                break
    listed = ", ".join(named[:_NAMED_AT_MOST]) + (" and others" if len(named) > _NAMED_AT_MOST else "")
    return Finding(
        *ObjectKey("ModelProvider", provider.namespace, provider.name),
        f"spec.models[{position}].name",
        Severity.WARNING,
        Reason.AMBIGUOUS_MODEL_NAME,
        f"{listed} offers {name} to the same namespaces: there a request for {name} is refused as ambiguous, only "
        f"{provider.name}/{name} says which; rename one of them or narrow allowedNamespaces",
    )
