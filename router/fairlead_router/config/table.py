"""The running table: an immutable, linked form of one snapshot. A request keeps the table it began with.

The objects here form no reference cycles, so a replaced table is freed as soon as its last request ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from multidict import CIMultiDict
from yarl import URL

from fairlead_contract.decision import PolicyUsed, SnapshotUsed
from fairlead_contract.fragments import (
    Cause,
    HealthCheck,
    Model,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_router.match.index import PolicyIndex


@dataclass(frozen=True, slots=True)
class EndpointEntry:
    """One address, with everything a call needs but the body."""

    name: str
    url: URL
    backup: bool
    weight: int
    region: str | None
    headers: CIMultiDict[str]
    """Includes the credential. Never logged: ``__repr__`` of this class leaves it out."""
    health_check: HealthCheck | None = None

    def __repr__(self) -> str:
        return f"EndpointEntry({self.name}, {self.url})"


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider as its models see it."""

    fragment: ProviderFragment
    endpoints: tuple[EndpointEntry, ...]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of one provider."""

    key: str
    ref: ModelRef
    model: Model
    provider: ProviderEntry
    capabilities: frozenset[str]
    compliance: frozenset[str]


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """A policy's target, linked; ``entry`` is ``None`` when the reference leads nowhere."""

    name: str
    key: str
    entry: ModelEntry | None
    weight: int
    order: int | None
    unresolved: str | None


@dataclass(frozen=True, slots=True)
class FallbackEntry:
    """A policy's fallback, linked."""

    causes: frozenset[Cause]
    target: TargetEntry


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy, linked."""

    fragment: PolicyFragment
    order: tuple[int, int, int, str, str]
    """As the fragment says; kept, because every table sorts by it."""
    used: PolicyUsed
    targets: tuple[TargetEntry, ...]
    fallbacks: tuple[FallbackEntry, ...]
    canary: TargetEntry | None
    needs_classification: bool = False
    """Whether it must be known what a request is about before this policy can be passed over, or decide."""


ModelsByName = Mapping[str, tuple[ModelEntry, ...]]
"""Models by each name under which they may be called: ``model``, ``provider/model``, ``namespace/provider/model``."""

_NOTHING: ModelsByName = {}


@dataclass(frozen=True, slots=True)
class PendingCredential:
    """A secret value that the snapshot names and that has not arrived; its provider waits for it."""

    provider: str
    """``namespace/name``."""
    secret: str
    """Name of the Secret, in the provider's namespace."""
    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Table:
    """Everything a decision may depend on that was declared rather than learned."""

    used: SnapshotUsed
    policies: tuple[PolicyEntry, ...]
    index: PolicyIndex
    models: Mapping[str, ModelEntry]
    providers: Mapping[str, ProviderEntry]
    workspaces: Mapping[str, WorkspaceFragment]
    tenancy: TenancyFragment
    visible_everywhere: ModelsByName
    visible_from: Mapping[str, ModelsByName] = field(default_factory=dict)
    """By namespace, without what is visible everywhere."""
    pending: tuple[PendingCredential, ...] = ()
    """What is missing. The providers that wait are in force as they were before, or not at all if they are new."""
    needs_classifier: bool = False
    """Whether any policy may ask it."""

    def models_named(self, namespace: str | None, name: str) -> tuple[ModelEntry, ...]:
        """Models that a workspace of ``namespace`` may call by ``name``; more than one is an ambiguity."""
        return self._own(namespace).get(name, ()) + self.visible_everywhere.get(name, ())

    def models_of(self, namespace: str | None) -> list[ModelEntry]:
        """All models visible from ``namespace``, in the order of their keys."""
        groups = (*self._own(namespace).values(), *self.visible_everywhere.values())
        found = {entry.key: entry for group in groups for entry in group}
        return [found[key] for key in sorted(found)]

    def _own(self, namespace: str | None) -> ModelsByName:
        return _NOTHING if namespace is None else self.visible_from.get(namespace, _NOTHING)
