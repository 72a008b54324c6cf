"""compile_resources: the whole way from declared objects to a sealed snapshot, on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from fairlead_contract.fragments import PolicyFragment, ProviderFragment, WorkspaceFragment
from fairlead_contract.snapshot import Entry, Sealed
from fairlead_crds.compile import ambiguity, candidates, coverage, experiments
from fairlead_crds.compile.catalog import Catalog
from fairlead_crds.compile.declared import Declarations, Declared, ObjectKey, gather
from fairlead_crds.compile.findings import Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.intents import Lowered
from fairlead_crds.compile.link import (
    AnyIntent,
    Linked,
    Visibility,
    link_policy,
    link_provider,
    link_workspace,
    remembered,
)
from fairlead_crds.compile.lower import lower
from fairlead_crds.compile.memo import Memo
from fairlead_crds.compile.permissions import claims, existing_namespaces, refuse
from fairlead_crds.compile.previous import Previous, index
from fairlead_crds.compile.publish import Publication, publish
from fairlead_crds.compile.report import Judged, Report
from fairlead_crds.compile.resources import Namespace, Resources, Settings
from fairlead_crds.compile.tenancy import TENANCY_NAME, Tenancy, settle

_TENANCY_KEY = ObjectKey("Tenancy", "", TENANCY_NAME)


@dataclass(frozen=True, slots=True)
class Compilation:
    """A snapshot and everything there is to say about how it came to be."""

    snapshot: Sealed
    findings: tuple[Finding, ...]
    """Sorted."""
    states: tuple[ObjectState, ...]
    """One per declared object, sorted."""
    changed: bool
    """Whether ``snapshot`` is another than before."""
    previous: Previous
    """For the next call."""


def compile_resources(
    resources: Resources, previous: Previous | None, settings: Settings, *, epoch: int | None = None
) -> Compilation:
    """Compile ``resources``; what is invalid stays at the generation that ``previous`` published.

    ``epoch`` starts a new history (at revision 1) where the caller knows that the old one is lost.
    """
    memo = Memo(None if previous is None else previous.memo)
    declarations = gather(resources.objects, memo)
    lowered = _lower_all(declarations.objects, previous)
    judged = [
        _judge(declared, lowering, previous) for declared, lowering in zip(declarations.objects, lowered, strict=True)
    ]
    namespaces = existing_namespaces(resources, judged)
    claimed = claims(judged)
    tenancy = memo.once("tenancy", (claimed, namespaces, settings), lambda: settle(claimed, namespaces, settings))
    refuse(judged, tenancy, settings)

    report = Report()
    report.add(declarations.findings)
    for item in judged:
        report.add(item.lowered.findings)
        report.add(() if item.refused is None else (item.refused,))

    linked = _link_all(judged, resources, namespaces, tenancy, settings, report, previous, memo)
    publication = publish([item.entry for item in linked.values()], previous, settings, epoch)
    if publication.rejected is not None:
        _report_too_large(publication, linked, judged, report)
    published = previous.entries if previous is not None and not publication.changed else index(publication.entries)
    return Compilation(
        snapshot=publication.sealed,
        findings=report.findings(),
        states=_states(declarations, judged, published, report),
        changed=publication.changed,
        previous=Previous(
            publication.sealed,
            published,
            {
                key: lowering
                for declared, lowering in zip(declarations.objects, lowered, strict=True)
                if (key := declared.memo_key) is not None
            },
            linked,
            memo,
        ),
    )


def _lower_all(objects: Iterable[Declared], previous: Previous | None) -> list[Lowered]:
    known = {} if previous is None else previous.lowered
    result = []
    for declared in objects:
        key = declared.memo_key
        found = None if key is None else known.get(key)
        result.append(lower(declared) if found is None else found)
    return result


def _judge(declared: Declared, lowering: Lowered, previous: Previous | None) -> Judged:
    if lowering.intent is not None or lowering.suspended or lowering.error is None or previous is None:
        return Judged(declared, lowering, lowering.intent)
    kept = previous.last_good(declared)
    return Judged(declared, lowering, kept, kept_back=kept is not None)


def _link_all(
    judged: list[Judged],
    resources: Resources,
    namespaces: Mapping[str, Namespace],
    tenancy: Tenancy,
    settings: Settings,
    report: Report,
    previous: Previous | None,
    memo: Memo,
) -> dict[ObjectKey, Linked[AnyIntent]]:
    """Fragments of all objects in force, with everything that can be said across objects."""
    known: Callable[[ObjectKey], Linked[AnyIntent] | None] = ({} if previous is None else previous.linked).get
    linked: dict[ObjectKey, Linked[AnyIntent]] = {}

    def note(item: Judged, findings: list[Finding]) -> None:
        if findings:
            report.link(findings, item.intent.generation if item.kept_back and item.intent is not None else None)

    visibility = Visibility(namespaces)
    secrets = {
        (item.namespace, item.name): item
        for item in sorted(resources.secrets, key=lambda item: (item.namespace, item.name), reverse=True)
    }
    providers: list[ProviderFragment] = []
    for item in judged:
        if isinstance(item.intent, ProviderFragment):
            key = item.declared.key
            provider, findings = link_provider(item.intent, secrets, visibility, known(key))
            linked[key] = provider
            providers.append(provider.fragment)
            note(item, findings)

    declared_providers = _names(judged, "ModelProvider")
    catalog = memo.once("catalog", (providers, declared_providers), lambda: Catalog(providers, declared_providers))
    link_one = memo.each("policies", (catalog, tenancy))
    policies: list[PolicyFragment] = []
    workspaces: list[WorkspaceFragment] = []
    for item in judged:
        key = item.declared.key
        if isinstance(item.intent, PolicyFragment):
            platform = key.namespace in settings.platform_namespaces
            policy, findings = link_one(
                key, item.intent, partial(link_policy, item.intent, platform, catalog, tenancy, known(key))
            )
            linked[key] = policy
            policies.append(policy.fragment)
            note(item, findings)
        elif isinstance(item.intent, WorkspaceFragment):
            workspace, findings = link_workspace(item.intent, catalog, known(key))
            linked[key] = workspace
            workspaces.append(workspace.fragment)
            note(item, findings)
    linked[_TENANCY_KEY] = remembered(known(_TENANCY_KEY), tenancy.fragment, None, lambda: tenancy.fragment)

    names = sorted(namespaces)
    report.add(memo.once("ambiguity", (providers, names), lambda: ambiguity.findings(providers, names)))
    _cross_check(judged, policies, workspaces, catalog, report, memo)
    return linked


def _cross_check(
    judged: list[Judged],
    policies: list[PolicyFragment],
    workspaces: list[WorkspaceFragment],
    catalog: Catalog,
    report: Report,
    memo: Memo,
) -> None:
    """What can only be said of several objects together."""
    budgets = memo.once("budgets", workspaces, lambda: candidates.Budgets(workspaces))
    scopes = [(policy.match, policy.platform, policy.order()) for policy in policies]
    report.add(memo.once("coverage", scopes, lambda: coverage.findings(policies)))
    check_one = memo.each("candidates", (catalog, budgets))
    for policy in policies:
        report.add(check_one(policy.key, policy, partial(candidates.findings, policy, budgets, catalog)))
    tests = [item.lowered.experiment for item in judged if item.lowered.experiment is not None]
    by_name = {(policy.namespace, policy.name): policy for policy in policies}
    report.link(experiments.findings(tests, by_name, _names(judged, "RoutingPolicy"), budgets, catalog))


def _names(judged: Iterable[Judged], kind: str) -> set[tuple[str, str]]:
    return {(item.declared.key.namespace, item.declared.key.name) for item in judged if item.declared.key.kind == kind}


def _report_too_large(
    publication: Publication, linked: Mapping[ObjectKey, Linked[AnyIntent]], judged: list[Judged], report: Report
) -> None:
    """Say so at every object whose change is left out by keeping the snapshot before."""
    published = index(publication.entries)
    for item in judged:
        key = item.declared.key
        compiled = linked.get(key)
        before = published.get(key)
        if compiled is None or (before is not None and before.digest == compiled.entry.digest):
            continue
        finding = Finding(*key, "", Severity.ERROR, Reason.SNAPSHOT_TOO_LARGE, publication.rejected or "")
        item.refused = item.refused or finding
        report.add((finding,))


def _states(
    declarations: Declarations, judged: Iterable[Judged], published: Mapping[ObjectKey, Entry], report: Report
) -> tuple[ObjectState, ...]:
    states = []
    for item in judged:
        entry = published.get(item.declared.key)
        in_force = entry.generation if entry is not None and entry.uid == item.declared.uid else None
        states.append(report.state(item, in_force))
    for declared in declarations.duplicates:
        reason = Reason.DUPLICATE.value
        states.append(ObjectState(*declared.key, declared.uid, declared.generation, None, False, reason, False, reason))
    states.sort(
        key=lambda state: (state.kind, state.namespace, state.name, state.accepted_reason == "Duplicate", state.uid)
    )
    return tuple(states)
