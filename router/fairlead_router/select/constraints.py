"""Hard constraints: who may not serve a request, whatever else happens.

All layers (platform, tenant, workspace, request) are intersected, and nothing later brings a removed candidate back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fairlead_contract.decision import Facts, Removal, RemovedBy
from fairlead_contract.fragments import Constraints, ModelRef, WorkspaceFragment
from fairlead_router.config.table import EndpointEntry, ModelEntry, TargetEntry
from fairlead_router.select.expectations import Limits

_MODEL_TYPE = {
    "Chat": "Chat",
    "Completion": "Completion",
    "Embedding": "Embedding",
    "Response": "Chat",
    "Message": "Chat",
}


class HardConstraints(msgspec.Struct, frozen=True):
    """The intersection of all layers that apply to one request."""

    capabilities: frozenset[str]
    compliance: frozenset[str]
    regions: tuple[frozenset[str], ...]
    """One set per layer that names regions: an endpoint must lie in each."""
    allowed: tuple[ModelRef, ...] | None
    """``None`` allows every model."""
    limits: Limits | None = None
    """On cost, latency and success; ``None``: there are none."""

    @classmethod
    def of(cls, layers: Iterable[Constraints], workspace: WorkspaceFragment | None) -> HardConstraints:
        """Intersect ``layers`` with what the workspace imposes."""
        every = [*layers]
        if workspace is None and all(layer == _NOTHING for layer in every):
            return _UNCONSTRAINED
        allowed = None
        if workspace is not None:
            every.append(workspace.constraints)
            allowed = workspace.allowed_models
        return cls(
            frozenset(name for layer in every for name in layer.required_capabilities),
            frozenset(name for layer in every for name in layer.compliance),
            tuple(frozenset(layer.regions) for layer in every if layer.regions),
            allowed,
            Limits.of(every),
        )

    def endpoints_allowed(self, entry: ModelEntry) -> tuple[EndpointEntry, ...]:
        """The endpoints that lie in a region of every layer; one without a region lies in none.

        Of these, those of weight 0 only if there are no others: such an endpoint is drained, also for retries.
        """
        endpoints = entry.provider.endpoints
        if self.regions:
            endpoints = tuple(each for each in endpoints if all(each.region in regions for regions in self.regions))
        if len(endpoints) < 2:
            return endpoints
        return tuple([each for each in endpoints if each.weight]) or endpoints


def stated_by(facts: Facts) -> Constraints:
    """The layer of the request itself; what it needs of capabilities is looked at elsewhere, and less strictly."""
    if facts.max_cost_micro_usd is None and facts.max_latency_milliseconds is None:
        return _NOTHING
    return Constraints(
        max_cost_micro_usd=facts.max_cost_micro_usd, max_latency_milliseconds=facts.max_latency_milliseconds
    )


_NOTHING = Constraints()
_UNCONSTRAINED = HardConstraints(frozenset(), frozenset(), (), None)


def removal(target: TargetEntry, facts: Facts, hard: HardConstraints) -> Removal | None:
    """Why ``target`` cannot serve the request, or ``None`` if it can. The first reason counts."""
    entry = target.entry
    if entry is None:
        return Removal(
            by=RemovedBy.REFERENCE, message=f"the reference to {target.key} is not resolved: {target.unresolved}"
        )
    provider = entry.provider.fragment
    if provider.withheld is not None:
        message = f"provider {provider.key} is withheld: {provider.withheld}"
        return Removal(by=RemovedBy.PROVIDER, message=message)
    if entry.model.state == "Inactive":
        return Removal(by=RemovedBy.MODEL_STATE, message=f"model {entry.key} is Inactive")
    wanted = _MODEL_TYPE[facts.request_type]
    if entry.model.type != wanted:
        message = f"it is of type {entry.model.type}; requests of type {facts.request_type} need {wanted}"
        return Removal(by=RemovedBy.REQUEST_TYPE, message=message)
    found = None if hard is _UNCONSTRAINED else _by_constraint(entry, hard)
    return found or _by_request(entry, facts)


def _by_constraint(entry: ModelEntry, hard: HardConstraints) -> Removal | None:
    if hard.allowed is not None and entry.ref not in hard.allowed:
        return Removal(by=RemovedBy.ALLOWED_MODELS, message="the workspace's allowedModels does not list it")
    if not hard.capabilities <= entry.capabilities:
        lacking = hard.capabilities - entry.capabilities
        return Removal(by=RemovedBy.CAPABILITY, message=f"required capabilities it lacks: {', '.join(sorted(lacking))}")
    if not hard.compliance <= entry.compliance:
        lacking = hard.compliance - entry.compliance
        return Removal(by=RemovedBy.COMPLIANCE, message=f"required compliance it lacks: {', '.join(sorted(lacking))}")
    if hard.regions and not hard.endpoints_allowed(entry):
        wanted = " and ".join("/".join(sorted(regions)) for regions in hard.regions)
        return Removal(by=RemovedBy.REGION, message=f"no endpoint of its provider lies in {wanted}")
    return None


def _by_request(entry: ModelEntry, facts: Facts) -> Removal | None:
    # A model that declares no capabilities at all is not refused what it may well be able to do.
    needed = facts.required_capabilities
    if needed and entry.capabilities and (lacking := set(needed) - entry.capabilities):
        return Removal(
            by=RemovedBy.CAPABILITY, message=f"the request needs what it lacks: {', '.join(sorted(lacking))}"
        )
    window = entry.model.context_window_tokens
    if window is not None and facts.estimated_input_tokens > window:
        message = f"about {facts.estimated_input_tokens} input tokens do not fit its context window of {window}"
        return Removal(by=RemovedBy.CONTEXT_WINDOW, message=message)
    return None
