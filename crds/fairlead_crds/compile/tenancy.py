"""Who may claim which workspace, and who owns it in the end.

A claim is a WorkspaceBudget. It is rightful if made in a platform namespace, or in the namespace that bears the
workspace's name, or in one whose annotation lists it; the oldest rightful claim wins. A workspace without a claim falls
to the namespace of its name, then to the oldest that lists it, then to the longest listed prefix, then to the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead_contract.fragments import TenancyFragment, WorkspacePattern
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.resources import Namespace, Settings

WORKSPACES_ANNOTATION = "fairlead.dev/workspaces"
TENANCY_NAME = "tenancy"


@dataclass(frozen=True, slots=True)
class Claim:
    """A WorkspaceBudget's claim on a workspace."""

    key: ObjectKey
    uid: str
    created_at: int
    workspace: str

    @property
    def age(self) -> tuple[int, str, ObjectKey]:
        """Sorts the oldest first; a claim of unknown age counts as the oldest only among its like."""
        return (self.created_at, self.uid, self.key)


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The outcome: who owns what, which claims do not stand, and what to tell those who made them."""

    fragment: TenancyFragment
    losers: Mapping[ObjectKey, Finding] = field(default_factory=dict)
    """Claims that are not in force, each with the one error that says why."""
    _known: dict[str, str | None] = field(default_factory=dict)

    def owner_of(self, workspace: str) -> str | None:
        """As the fragment says; worked out once per workspace."""
        if workspace not in self._known:
            self._known[workspace] = self.fragment.owner_of(workspace)
        return self._known[workspace]


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a namespace's annotation lists."""

    exact: frozenset[str]
    prefixes: frozenset[str]

    def covers(self, workspace: str) -> bool:
        return workspace in self.exact or any(workspace.startswith(prefix) for prefix in self.prefixes)


def _listing(namespace: Namespace) -> _Listing:
    items = {item.strip() for item in namespace.annotations.get(WORKSPACES_ANNOTATION, "").split(",")} - {""}
    return _Listing(
        frozenset(item for item in items if "*" not in item),
        frozenset(item[:-1] for item in items if item.endswith("*") and "*" not in item[:-1]),
    )


def settle(claims: Iterable[Claim], namespaces: Mapping[str, Namespace], settings: Settings) -> Tenancy:
    """Decide all claims and derive the owners. ``namespaces`` holds every namespace that exists, by name."""
    by_age = sorted(namespaces.values(), key=lambda item: (item.created_at, item.uid, item.name))
    listings = {item.name: _listing(item) for item in by_age}
    won: dict[str, Claim] = {}
    losers: dict[ObjectKey, Finding] = {}
    for claim in sorted(claims, key=lambda item: item.age):
        if not _rightful(claim, listings, settings):
            losers[claim.key] = _not_permitted(claim)
        elif claim.workspace in won:
            losers[claim.key] = _conflict(claim, won[claim.workspace])
        else:
            won[claim.workspace] = claim

    owners: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    for item in by_age:
        listing = listings[item.name]
        owners.update((workspace, item.name) for workspace in listing.exact if workspace not in owners)
        prefixes.update((prefix, item.name) for prefix in listing.prefixes if prefix not in prefixes)
    owners.update((name, name) for name in namespaces)
    owners.update((workspace, claim.key.namespace) for workspace, claim in won.items())
    fragment = TenancyFragment(
        namespace="",
        name=TENANCY_NAME,
        uid="",
        generation=0,
        owners=dict(sorted(owners.items())),
        patterns=tuple(
            WorkspacePattern(prefix, owner)
            for prefix, owner in sorted(prefixes.items(), key=lambda item: (-len(item[0]), item[0]))
        ),
        default_namespace=settings.default_namespace,
    )
    return Tenancy(fragment, losers)


def _rightful(claim: Claim, listings: Mapping[str, _Listing], settings: Settings) -> bool:
    namespace = claim.key.namespace
    if namespace in settings.platform_namespaces or claim.workspace == namespace:
        return True
    listing = listings.get(namespace)
    return listing is not None and listing.covers(claim.workspace)


def _not_permitted(claim: Claim) -> Finding:
    return Finding(
        *claim.key,
        "spec.workspace",
        Severity.ERROR,
        Reason.NOT_PERMITTED,
        f"namespace {claim.key.namespace} may not claim workspace {claim.workspace}: whoever administers the namespace "
        f"must list it in the annotation {WORKSPACES_ANNOTATION}, or the budget must move to a platform namespace",
    )


def _conflict(claim: Claim, winner: Claim) -> Finding:
    return Finding(
        *claim.key,
        "spec.workspace",
        Severity.ERROR,
        Reason.CONFLICT,
        f"workspace {claim.workspace} is already claimed by WorkspaceBudget {winner.key.namespace}/{winner.key.name}, "
        "which is older: remove one of the two",
    )
