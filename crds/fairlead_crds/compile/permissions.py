"""What today's namespaces permit: which of them exist, what they claim, and what is taken out of force at once."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_contract.fragments import PolicyFragment, WorkspaceFragment
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.report import Judged
from fairlead_crds.compile.resources import Namespace, Resources, Settings
from fairlead_crds.compile.tenancy import Claim, Tenancy


def existing_namespaces(resources: Resources, judged: Iterable[Judged]) -> dict[str, Namespace]:
    """Those listed, and those in which something is or could be in force."""
    found = {
        item.name: item for item in sorted(resources.namespaces, key=lambda item: (item.name, item.uid), reverse=True)
    }
    for item in judged:
        name = item.declared.key.namespace
        if name not in found and (item.intent is not None or item.lowered.suspended):
            found[name] = Namespace(name)
    return found


def claims(judged: Iterable[Judged]) -> list[Claim]:
    """The claims of all budgets, whether of their newest generation or of one kept back."""
    return [
        Claim(item.declared.key, item.declared.uid, item.declared.created_at, item.intent.workspace)
        for item in judged
        if isinstance(item.intent, WorkspaceFragment)
    ]


def refuse(judged: Iterable[Judged], tenancy: Tenancy, settings: Settings) -> None:
    """Take out what lacks a permission today, be it of the newest generation or of an older one."""
    for item in judged:
        intent = item.intent
        if isinstance(intent, WorkspaceFragment):
            item.refused = tenancy.losers.get(item.declared.key)
        elif (
            isinstance(intent, PolicyFragment)
            and intent.precedence != "Normal"
            and intent.namespace not in settings.platform_namespaces
        ):
            item.refused = Finding(
                *item.declared.key,
                "spec.precedence",
                Severity.ERROR,
                Reason.NOT_PERMITTED,
                f"precedence {intent.precedence} is for platform namespaces "
                f"({', '.join(sorted(settings.platform_namespaces)) or 'there are none'}): use Normal or move the policy",
            )
        if item.refused is not None:
            item.intent = None
