"""Lowering: one raw object to its intent. Nothing but that object is looked at, so the result can be remembered."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_crds.compile.declared import Declared
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Lowered
from fairlead_crds.compile.lower_policy import lower_policy
from fairlead_crds.compile.lower_provider import lower_provider
from fairlead_crds.compile.lower_workspace import lower_experiment, lower_workspace
from fairlead_crds.kinds import ABTest, ModelProvider, RoutingPolicy, WorkspaceBudget
from fairlead_crds.not_implemented import not_implemented
from fairlead_crds.parse import FieldError, parse_object


def lower(declared: Declared) -> Lowered:
    """Parse and check ``declared``. Whatever is wrong becomes findings, never an exception."""
    parsed = parse_object(declared.raw)
    if isinstance(parsed, list):
        return Lowered(findings=_errors(declared, parsed, Reason.INVALID))
    missing = _errors(declared, not_implemented(parsed), Reason.NOT_IMPLEMENTED)
    match parsed:
        case ABTest():
            return Lowered(experiment=lower_experiment(declared, parsed.spec), findings=missing)
        case RoutingPolicy() if parsed.spec.suspend:
            return Lowered(suspended=True, findings=missing)
    if missing:
        return Lowered(findings=missing)
    match parsed:
        case ModelProvider():
            return lower_provider(declared, parsed.spec)
        case RoutingPolicy():
            return lower_policy(declared, parsed.spec)
        case WorkspaceBudget():
            return lower_workspace(declared, parsed.spec)


def _errors(declared: Declared, errors: Iterable[FieldError], reason: Reason) -> tuple[Finding, ...]:
    return tuple(sorted(Finding(*declared.key, error.path, Severity.ERROR, reason, error.message) for error in errors))
