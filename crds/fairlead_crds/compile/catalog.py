"""Who may use which model: the providers in force, as seen from a namespace that refers to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass

from fairlead_contract.fragments import Model, ModelRef, ProviderFragment
from fairlead_crds.compile.findings import Reason, Severity

_CLOSE_NAMES = 5


@dataclass(frozen=True, slots=True)
class Lookup:
    """What came of following a reference. An error leaves it unresolved; a warning goes with one that is followed."""

    severity: Severity
    reason: Reason
    message: str

    @property
    def unresolved(self) -> str | None:
        """The word a fragment carries for it."""
        return self.reason.value if self.severity is Severity.ERROR else None


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider with its models by name."""

    provider: ProviderFragment
    models: dict[str, Model]
    visible: frozenset[str] | None
    """Namespaces that may refer to it; ``None``: all."""
    quiet: frozenset[str]
    """Models that can be referred to without remark."""


class Catalog:
    """All providers in force."""

    def __init__(self, providers: Iterable[ProviderFragment], declared: Set[tuple[str, str]]) -> None:
        self._declared = declared
        self._elsewhere: defaultdict[str, list[str]] = defaultdict(list)
        for namespace, name in sorted(declared):
            self._elsewhere[name].append(namespace)
        self._offers: dict[tuple[str, str], Offer] = {}
        for provider in providers:
            visible = (
                None
                if provider.visible_from == "All"
                else frozenset((provider.namespace, *provider.visible_namespaces))
            )
            models = {model.name: model for model in provider.models}
            usable = provider.withheld is None
            quiet = frozenset(model.name for model in provider.models if usable and model.state == "Active")
            self._offers[(provider.namespace, provider.name)] = Offer(provider, models, visible, quiet)

    def find(self, ref: ModelRef) -> tuple[ProviderFragment, Model] | None:
        """The model, if it is in force, whoever asks."""
        offer = self._offers.get((ref.namespace, ref.provider))
        model = None if offer is None else offer.models.get(ref.model)
        return None if offer is None or model is None else (offer.provider, model)

    def look_up(self, namespace: str, ref: ModelRef) -> Lookup | None:
        """Follow ``ref`` on behalf of an object in ``namespace``. ``None``: all is well."""
        offer = self._offers.get((ref.namespace, ref.provider))
        if offer is None:
            return self._not_found(ref)
        if offer.visible is not None and namespace not in offer.visible:
            return Lookup(
                Severity.ERROR,
                Reason.REFERENCE_NOT_PERMITTED,
                f"ModelProvider {ref.namespace}/{ref.provider} may not be used from namespace {namespace}: its "
                "allowedNamespaces must admit it",
            )
        if ref.model in offer.quiet:
            return None
        return _remark(offer, ref)

    def _not_found(self, ref: ModelRef) -> Lookup:
        key = (ref.namespace, ref.provider)
        if key in self._declared:
            message = f"ModelProvider {'/'.join(key)} exists but is not in force: mend what its own conditions name"
        else:
            elsewhere = self._elsewhere.get(ref.provider, [])
            hint = (
                f"; there is one in {', '.join(elsewhere[:_CLOSE_NAMES])}, say so in providerRef.namespace"
                if elsewhere
                else ""
            )
            message = f"there is no ModelProvider {'/'.join(key)}: create it or change the reference{hint}"
        return Lookup(Severity.ERROR, Reason.PROVIDER_NOT_FOUND, message)


def _remark(offer: Offer, ref: ModelRef) -> Lookup:
    where = f"ModelProvider {ref.namespace}/{ref.provider}"
    model = offer.models.get(ref.model)
    if model is None:
        some = ", ".join(sorted(offer.models)[:_CLOSE_NAMES])
        return Lookup(
            Severity.ERROR,
            Reason.MODEL_NOT_FOUND,
            f"{where} has no model {ref.model}: it has {some}{' and others' if len(offer.models) > _CLOSE_NAMES else ''}",
        )
    if offer.provider.withheld is not None:
        return Lookup(
            Severity.WARNING,
            Reason.PROVIDER_UNAVAILABLE,
            f"{where} gets no requests now ({offer.provider.withheld}): mend what its own conditions name",
        )
    if model.state == "Inactive":
        return Lookup(
            Severity.WARNING,
            Reason.MODEL_INACTIVE,
            f"model {ref.model} of {where} is Inactive and gets no requests: set its state to Active or choose another",
        )
    return Lookup(
        Severity.WARNING,
        Reason.MODEL_DEPRECATED,
        f"model {ref.model} of {where} is Deprecated: it still serves, choose its successor soon",
    )
