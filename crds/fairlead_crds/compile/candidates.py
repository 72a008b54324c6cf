"""Hard constraints against the models a policy names, so that what they always remove is said before a request fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from fairlead_contract.fragments import (
    Constraints,
    Model,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    Target,
    WorkspaceFragment,
)
from fairlead_crds.compile.catalog import Catalog
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Reason, Severity

_NONE = Constraints()
_LAYERS_AT_MOST = 16
"""What is examined for a policy that names no workspace: these are warnings, and routers check every request."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One origin of hard constraints."""

    origin: str
    constraints: Constraints = _NONE
    allowed: frozenset[ModelRef] | None = None

    @property
    def free(self) -> bool:
        """Whether nothing is constrained."""
        return self.allowed is None and self.constraints == _NONE


class Budgets:
    """The constraints of the workspaces in force, by workspace and by owning namespace."""

    def __init__(self, workspaces: Iterable[WorkspaceFragment]) -> None:
        self._by_workspace: dict[str, Layer] = {}
        self._by_namespace: defaultdict[str, dict[object, Layer]] = defaultdict(dict)
        for fragment in workspaces:
            allowed = None if fragment.allowed_models is None else frozenset(fragment.allowed_models)
            layer = Layer(f"workspace {fragment.workspace}", fragment.constraints, allowed)
            if not layer.free:
                self._by_workspace[fragment.workspace] = layer
                different = self._by_namespace[fragment.namespace]
                different.setdefault((layer.constraints, layer.allowed), layer)

    def named(self, workspaces: Iterable[str]) -> list[Layer]:
        """Of these workspaces, those that constrain anything."""
        return [layer for layer in map(self._by_workspace.get, workspaces) if layer is not None]

    def of(self, namespace: str) -> list[Layer]:
        """Of the workspaces claimed in a namespace, one for each different set of constraints, up to a bound."""
        return list(islice(self._by_namespace.get(namespace, {}).values(), _LAYERS_AT_MOST))

    def reached_by(self, policy: PolicyFragment) -> list[Layer]:
        """Of the workspaces a policy is about. A platform policy that names none is about too many to speak of."""
        if policy.match.workspaces:
            return self.named(policy.match.workspaces)
        return [] if policy.platform else self.of(policy.namespace)


def forbidden(ref: ModelRef, layers: Iterable[Layer], catalog: Catalog) -> str | None:
    """What in ``layers`` rules the model out for good; ``None`` if nothing does or the model is not there to judge."""
    found = catalog.find(ref)
    return None if found is None else _ruled_out(ref, *found, layers)


def _ruled_out(ref: ModelRef, provider: ProviderFragment, model: Model, layers: Iterable[Layer]) -> str | None:
    for layer in layers:
        constraints = layer.constraints
        if layer.allowed is not None and ref not in layer.allowed:
            return f"{layer.origin} does not list it in allowedModels"
        lacking = [item for item in constraints.required_capabilities if item not in model.capabilities]
        if lacking:
            return f"{layer.origin} requires the capabilities {', '.join(lacking)}"
        lacking = [item for item in constraints.compliance if item not in model.compliance]
        if lacking:
            return f"{layer.origin} requires compliance with {', '.join(lacking)}"
        if constraints.regions and not any(item.region in constraints.regions for item in provider.endpoints):
            return f"{layer.origin} allows only the regions {', '.join(constraints.regions)}"
    return None


def _impossible(target: Target, layers: list[Layer], catalog: Catalog) -> str | None:
    if target.unresolved is not None:
        return target.unresolved
    found = catalog.find(target.model)
    if found is None:
        return None
    provider, model = found
    if provider.withheld is not None:
        return provider.withheld
    return "Inactive" if model.state == "Inactive" else _ruled_out(target.model, provider, model, layers)


def findings(policy: PolicyFragment, budgets: Budgets, catalog: Catalog) -> list[Finding]:
    """Warnings for a policy whose targets are all ruled out, everywhere or for some of its workspaces."""
    base = Layer("the policy", policy.constraints)
    own = [] if base.free else [base]
    reasons = _why_all_are_out(policy, own, catalog)
    if reasons is not None:
        return [_no_candidate(policy, None, reasons)]
    result = []
    for extra in budgets.reached_by(policy):
        reasons = _why_all_are_out(policy, [*own, extra], catalog)
        if reasons is not None:
            result.append(_no_candidate(policy, extra, reasons))
    return result


def _why_all_are_out(policy: PolicyFragment, layers: list[Layer], catalog: Catalog) -> dict[str, str] | None:
    reasons = {}
    for target in policy.targets:
        reason = _impossible(target, layers, catalog)
        if reason is None:
            return None
        reasons[target.name] = reason
    return reasons


def _no_candidate(policy: PolicyFragment, extra: Layer | None, reasons: Mapping[str, str]) -> Finding:
    where = "" if extra is None else f" for {extra.origin}"
    return Finding(
        *ObjectKey("RoutingPolicy", policy.namespace, policy.name),
        "spec.targets",
        Severity.WARNING,
        Reason.NO_CANDIDATE,
        f"no target can serve{where}: {'; '.join(f'{name}: {reason}' for name, reason in reasons.items())}. Add a target "
        "that qualifies or relax what rules these out",
    )
