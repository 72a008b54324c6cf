"""Findings gathered while compiling, and the conditions that follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fairlead_crds.compile.declared import Declared, ObjectKey
from fairlead_crds.compile.findings import Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.intents import Intent, Lowered

ACCEPTED = "Accepted"
SUSPENDED = "Suspended"
PAUSED = Reason.PAUSED.value
RESOLVED_REFS = "ResolvedRefs"

_LEAVE_REFS_ALONE = frozenset({Reason.CYCLE, Reason.FORBIDDEN_ARM})


@dataclass(slots=True)
class Judged:
    """One object on its way through the compiler."""

    declared: Declared
    lowered: Lowered
    intent: Intent | None
    """What is to be linked: of the newest generation, or of the last good one."""
    kept_back: bool = False
    paused: bool = False
    held: Finding | None = None
    """What is not in force because it is paused, if anything."""
    refused: Finding | None = None
    """Why it is not in force although its spec is valid: a permission or a claim it lacks."""


class Report:
    """Collects findings by object."""

    def __init__(self) -> None:
        self._own: list[Finding] = []
        self._unresolved: defaultdict[ObjectKey, list[Finding]] = defaultdict(list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Findings that leave the object's references alone."""
        self._own.extend(findings)

    def link(self, findings: Iterable[Finding], generation: int | None = None) -> None:
        """Findings about references. ``generation``: the older one that they are about, if it is kept back."""
        for finding in findings:
            item = finding if generation is None else _about_generation(finding, generation)
            self._own.append(item)
            if item.severity is Severity.ERROR and item.reason not in _LEAVE_REFS_ALONE:
                self._unresolved[ObjectKey(item.kind, item.namespace, item.name)].append(item)

    def findings(self) -> tuple[Finding, ...]:
        """Sorted, each once."""
        return tuple(sorted(set(self._own)))

    def state(self, judged: Judged, in_force: int | None) -> ObjectState:
        """The conditions of one object."""
        declared = judged.declared
        error = (judged.refused or judged.held) if judged.paused else (judged.lowered.error or judged.refused)
        accepted, accepted_reason = error is None, ACCEPTED
        if error is not None:
            accepted_reason = error.reason.value
        elif judged.lowered.suspended:
            accepted_reason = SUSPENDED
        elif judged.paused:
            accepted_reason = PAUSED
        unresolved = self._unresolved.get(declared.key)
        resolved_reason = RESOLVED_REFS
        if unresolved:
            resolved_reason = min(unresolved).reason.value
        elif error is not None and judged.intent is None:
            resolved_reason = accepted_reason
        return ObjectState(
            *declared.key,
            declared.uid,
            declared.generation,
            in_force,
            accepted,
            accepted_reason,
            resolved_reason == RESOLVED_REFS,
            resolved_reason,
        )


def _about_generation(finding: Finding, generation: int) -> Finding:
    message = f"{finding.message} (in generation {generation}, the last accepted one, which is still in force)"
    return Finding(
        finding.kind, finding.namespace, finding.name, finding.field, finding.severity, finding.reason, message
    )
