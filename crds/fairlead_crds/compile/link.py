"""Linking: an intent and today's world make the fragment that is published.

What the world contributes is first worked out as a small *resolution*; only if that or the intent differs from last
time is a fragment built and encoded anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from fairlead_contract.fragments import (
    Header,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    SecretKey,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_contract.snapshot import Entry, make_entry
from fairlead_crds.compile.catalog import Catalog
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Intent
from fairlead_crds.compile.resources import Namespace, SecretVersions
from fairlead_crds.compile.secrets import SecretUse, use_secret
from fairlead_crds.compile.selectors import from_canonical
from fairlead_crds.compile.tenancy import WORKSPACES_ANNOTATION, Tenancy

AnyIntent = Intent | TenancyFragment
FragmentT = TypeVar("FragmentT", bound=AnyIntent)
FragmentT_co = TypeVar("FragmentT_co", bound=AnyIntent, covariant=True)
_replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Linked(Generic[FragmentT_co]):
    """A fragment with its index entry and what it was made of."""

    intent: FragmentT_co
    resolution: object
    fragment: FragmentT_co
    entry: Entry


def remembered(
    known: Linked[AnyIntent] | None, intent: FragmentT, resolution: object, build: Callable[[], FragmentT]
) -> Linked[FragmentT]:
    """The result of last time if it was made of the same, else a new one."""
    if known is not None and known.resolution == resolution and (known.intent is intent or known.intent == intent):
        return known  # type: ignore[return-value]
    fragment = build()
    return Linked(intent, resolution, fragment, make_entry(fragment))


class Visibility:
    """Which namespaces a selector admits; every selector is worked out once."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._all = [namespaces[name] for name in sorted(namespaces)]
        self._labelled: defaultdict[tuple[str, str], list[Namespace]] = defaultdict(list)
        for item in self._all:
            for label in item.labels.items():
                self._labelled[label].append(item)
        self._known: dict[str, tuple[str, ...]] = {}

    def admitted(self, text: str) -> tuple[str, ...]:
        """Sorted names."""
        names = self._known.get(text)
        if names is None:
            selector = from_canonical(text)
            wanted = [self._labelled.get(label, []) for label in selector.match_labels.items()]
            candidates = min(wanted, key=len, default=self._all)
            names = self._known[text] = tuple(item.name for item in candidates if selector.holds(item.labels))
        return names


def link_provider(
    intent: ProviderFragment,
    secrets: Mapping[tuple[str, str], SecretVersions],
    visibility: Visibility,
    known: Linked[AnyIntent] | None,
) -> tuple[Linked[ProviderFragment], list[Finding]]:
    """Attach Secret versions and visible namespaces, or the reason why the provider gets no requests."""
    uses: list[SecretUse] = []
    findings = []
    for field, wanted, urls in _secrets_wanted(intent):
        use = use_secret(secrets.get((intent.namespace, wanted.name)), wanted, intent.namespace, urls)
        uses.append(use)
        if use.reason is not None:
            findings.append(_finding("ModelProvider", intent, field, Severity.ERROR, use.reason, use.message))
    admitted: tuple[str, ...] = ()
    if intent.visible_selector is not None:
        admitted = tuple(name for name in visibility.admitted(intent.visible_selector) if name != intent.namespace)
    resolution = (tuple(uses), admitted)

    def build() -> ProviderFragment:
        remaining = iter(uses)
        credential = None if intent.credential is None else _versioned(intent.credential, next(remaining))
        endpoints = tuple(
            _replace(endpoint, headers=tuple(_header(header, remaining) for header in endpoint.headers))
            if endpoint.headers
            else endpoint
            for endpoint in intent.endpoints
        )
        return _replace(
            intent,
            credential=credential,
            endpoints=endpoints,
            visible_namespaces=admitted,
            withheld=next((use.reason.value for use in uses if use.reason is not None), None),
        )

    return remembered(known, intent, resolution, build), findings


def _secrets_wanted(intent: ProviderFragment) -> Iterator[tuple[str, SecretKey, list[str]]]:
    if intent.credential is not None:
        yield "spec.credentials.secretRef", intent.credential, [endpoint.url for endpoint in intent.endpoints]
    for position, endpoint in enumerate(intent.endpoints):
        for index, header in enumerate(endpoint.headers):
            if header.secret is not None:
                field = f"spec.endpoints[{position}].headers[{index}].valueFrom.secretRef"
                yield field, header.secret, [endpoint.url]


def _versioned(secret: SecretKey, use: SecretUse) -> SecretKey:
    return SecretKey(secret.name, secret.key, use.version, use.allowed_hosts)


def _header(header: Header, uses: Iterator[SecretUse]) -> Header:
    return header if header.secret is None else _replace(header, secret=_versioned(header.secret, next(uses)))


def link_policy(
    intent: PolicyFragment, platform: bool, catalog: Catalog, tenancy: Tenancy, known: Linked[AnyIntent] | None
) -> tuple[Linked[PolicyFragment], list[Finding]]:
    """Follow every reference; what cannot be followed stays in the policy, marked, so that it still matches."""
    look_up, namespace = catalog.look_up, intent.namespace
    lookups = [look_up(namespace, target.model) for target in intent.targets]
    lookups += [look_up(namespace, fallback.model) for fallback in intent.fallbacks]
    if intent.canary is not None:
        lookups.append(look_up(namespace, intent.canary.model))
    findings: list[Finding] = []
    unresolved: tuple[str | None, ...] = ()
    if any(lookups):
        unresolved = tuple(None if item is None else item.unresolved for item in lookups)
        findings = [
            _finding("RoutingPolicy", intent, field, item.severity, item.reason, item.message)
            for field, item in zip(_reference_fields(intent), lookups, strict=True)
            if item is not None
        ]
    if intent.match.workspaces and not platform:
        findings.extend(_unclaimed(intent, tenancy))

    def build() -> PolicyFragment:
        if not any(unresolved):
            return _replace(intent, platform=platform)
        words = iter(unresolved)
        return _replace(
            intent,
            platform=platform,
            targets=tuple(_replace(target, unresolved=next(words)) for target in intent.targets),
            fallbacks=tuple(_replace(fallback, unresolved=next(words)) for fallback in intent.fallbacks),
            canary=None if intent.canary is None else _replace(intent.canary, unresolved=next(words)),
        )

    return remembered(known, intent, (platform, unresolved), build), findings


def _reference_fields(intent: PolicyFragment) -> Iterator[str]:
    """Where the references stand, in the order in which they are followed."""
    yield from (f"spec.targets[{position}].modelRef" for position in range(len(intent.targets)))
    yield from (f"spec.fallbacks[{position}].modelRef" for position in range(len(intent.fallbacks)))
    if intent.canary is not None:
        yield "spec.canary.modelRef"


def _unclaimed(intent: PolicyFragment, tenancy: Tenancy) -> Iterator[Finding]:
    for workspace in intent.match.workspaces:
        owner = tenancy.owner_of(workspace)
        if owner != intent.namespace:
            yield _finding(
                "RoutingPolicy",
                intent,
                "spec.match.workspaces",
                Severity.ERROR,
                Reason.WORKSPACE_NOT_CLAIMED,
                f"workspace {workspace} does not belong to namespace {intent.namespace}"
                f"{'' if owner is None else f' but to {owner}'}, so this policy never applies to it: remove it here, or "
                f"have the namespace's annotation {WORKSPACES_ANNOTATION} list it and claim it with a WorkspaceBudget",
            )


def link_workspace(
    intent: WorkspaceFragment, catalog: Catalog, known: Linked[AnyIntent] | None
) -> tuple[Linked[WorkspaceFragment], list[Finding]]:
    """The fragment is the intent; entries that allow nothing are only remarked upon."""
    lookups = [catalog.look_up(intent.namespace, ref) for ref in intent.allowed_models or ()]
    findings = [
        _finding("WorkspaceBudget", intent, "spec.allowedModels", Severity.WARNING, item.reason, item.message)
        for item in lookups
        if item is not None
    ]
    return remembered(known, intent, None, lambda: intent), findings


def link_refs(key: ObjectKey, refs: Iterable[tuple[str, ModelRef]], catalog: Catalog) -> list[Finding]:
    """Findings for references of an object that has no fragment."""
    found = ((field, catalog.look_up(key.namespace, ref)) for field, ref in refs)
    return [Finding(*key, field, item.severity, item.reason, item.message) for field, item in found if item is not None]


def _finding(kind: str, intent: Intent, field: str, severity: Severity, reason: Reason, message: str) -> Finding:
    return Finding(kind, intent.namespace, intent.name, field, severity, reason, message)
