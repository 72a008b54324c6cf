"""All objects in force, linked with one another and with the rest of the world, and what that shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from fairlead_contract.fragments import PolicyFragment, ProviderFragment, WorkspaceFragment
from fairlead_crds.compile import ambiguity, candidates, coverage, experiments
from fairlead_crds.compile.catalog import Catalog
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding
from fairlead_crds.compile.link import (
    AnyIntent,
    Linked,
    Visibility,
    link_policy,
    link_provider,
    link_workspace,
    remembered,
)
from fairlead_crds.compile.memo import Memo
from fairlead_crds.compile.previous import Previous
from fairlead_crds.compile.report import Judged, Report
from fairlead_crds.compile.resources import Namespace, Resources, Settings
from fairlead_crds.compile.tenancy import TENANCY_NAME, Tenancy

TENANCY_KEY = ObjectKey("Tenancy", "", TENANCY_NAME)


@dataclass(frozen=True, slots=True)
class World:
    """Everything linked: by key, and by kind in the order of the objects."""

    linked: Mapping[ObjectKey, Linked[AnyIntent]]
    providers: list[ProviderFragment]
    policies: list[PolicyFragment]
    workspaces: list[WorkspaceFragment]
    catalog: Catalog


def link_all(
    judged: list[Judged],
    resources: Resources,
    namespaces: Mapping[str, Namespace],
    tenancy: Tenancy,
    settings: Settings,
    report: Report,
    previous: Previous | None,
    memo: Memo,
) -> World:
    """Fragments of all objects in force; what their references lack goes into ``report``."""
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
    linked[TENANCY_KEY] = remembered(known(TENANCY_KEY), tenancy.fragment, None, lambda: tenancy.fragment)
    return World(linked, providers, policies, workspaces, catalog)


def cross_check(
    judged: list[Judged], world: World, namespaces: Mapping[str, Namespace], report: Report, memo: Memo
) -> None:
    """What can only be said of several objects together."""
    providers, policies, workspaces, catalog = world.providers, world.policies, world.workspaces, world.catalog
    names = sorted(namespaces)
    report.add(memo.once("ambiguity", (providers, names), lambda: ambiguity.findings(providers, names)))
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
