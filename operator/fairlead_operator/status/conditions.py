"""Conditions of one object: what the compiler says of it, and what the routers run.

`Ready` sums up; whenever it is not True, exactly one of `Reconciling` (wait) and `Stalled` (do something) is. kstatus,
and with it Flux, `kubectl wait` wrappers and Argo CD health checks, decide by these two first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_crds.compile import Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.declared import PAUSED_ANNOTATION
from fairlead_operator.status.reasons import FINDING_WORDS, ConditionType, OperatorReason
from fairlead_operator.status.verdict import FALSE, TRUE, Verdict
from fairlead_operator.status.wording import MAX_MESSAGE_CHARACTERS, cut, told

_AS_WISHED: dict[str, str] = {
    OperatorReason.SUSPENDED: "the spec is valid; spec.suspend keeps it out of force",
    Reason.PAUSED: f"the spec is valid and in force; the annotation {PAUSED_ANNOTATION} keeps it so, whatever is written",
}
"""Reasons for which Ready is True although somebody has intervened, so that it names them."""


def conditions(
    state: ObjectState,
    findings: Sequence[Finding],
    rollout: Verdict,
    before: Sequence[Mapping[str, Any]],
    now: str,
    endpoints: Verdict | None = None,
) -> list[dict[str, Any]]:
    """The conditions as the API has them. ``findings`` are those of this object, sorted; ``now`` is RFC 3339;
    ``endpoints`` is `Degraded` as far as routers know a reason for it.
    """
    known = {item.get("type"): item for item in before}
    return [
        {
            "type": kind.value,
            "status": verdict.status.value,
            "reason": str(verdict.reason),
            "message": cut(verdict.message, MAX_MESSAGE_CHARACTERS),
            "lastTransitionTime": _since(known.get(kind.value), verdict, now),
            "observedGeneration": state.generation,
        }
        for kind, verdict in verdicts(state, findings, rollout, endpoints).items()
    ]


def verdicts(
    state: ObjectState, findings: Sequence[Finding], rollout: Verdict, endpoints: Verdict | None = None
) -> dict[ConditionType, Verdict]:
    """The same without times."""
    accepted = _accepted(state, findings)
    resolved = _resolved(state, findings)
    programmed = _programmed(state, accepted, rollout)
    ready = _ready(accepted, resolved, programmed)
    result = {
        ConditionType.ACCEPTED: accepted,
        ConditionType.RESOLVED_REFS: resolved,
        ConditionType.PROGRAMMED: programmed,
        ConditionType.READY: ready,
    }
    if accepted.status is FALSE:
        result[ConditionType.STALLED] = Verdict(TRUE, accepted.reason, accepted.message)
    elif programmed.reason == OperatorReason.SNAPSHOT_REFUSED:
        result[ConditionType.STALLED] = Verdict(TRUE, programmed.reason, programmed.message)
    elif ready.status is not TRUE:
        result[ConditionType.RECONCILING] = Verdict(TRUE, ready.reason, ready.message)
    # That an earlier generation is in force, Programmed says as well; what routers know of endpoints, nobody else does.
    degraded = endpoints or _degraded(state, accepted)
    if degraded is not None:
        result[ConditionType.DEGRADED] = degraded
    return result


def _accepted(state: ObjectState, findings: Sequence[Finding]) -> Verdict:
    errors, warnings = _speaking_in(ConditionType.ACCEPTED, findings)
    if state.accepted_reason != Reason.DUPLICATE:  # it shares its name with the one that counts, and all findings
        errors = [item for item in errors if item.reason is not Reason.DUPLICATE]
    if not state.accepted:
        errors += [item for item in warnings if item.reason == state.accepted_reason]  # that it is paused is no error
        return Verdict(FALSE, state.accepted_reason, _first_of(state.accepted_reason, errors) or "not accepted")
    if errors:  # an experiment that only other objects make impossible
        return Verdict(FALSE, errors[0].reason, told(errors))
    said = _AS_WISHED.get(state.accepted_reason, "the spec is valid and in force")
    return Verdict(TRUE, state.accepted_reason, _with_warnings(said, warnings))


def _resolved(state: ObjectState, findings: Sequence[Finding]) -> Verdict:
    errors, warnings = _speaking_in(ConditionType.RESOLVED_REFS, findings)
    if state.resolved_refs:
        return Verdict(TRUE, state.resolved_refs_reason, _with_warnings("every reference was found", warnings))
    said = _first_of(state.resolved_refs_reason, errors) or "references are followed once the spec is accepted"
    return Verdict(FALSE, state.resolved_refs_reason, said)


def _programmed(state: ObjectState, accepted: Verdict, rollout: Verdict) -> Verdict:
    """About the generation as written, so what the routers run matters only if it is that one."""
    in_force = state.generation_in_force
    if in_force is not None and in_force != state.generation:
        return Verdict(FALSE, OperatorReason.LAST_GOOD_IN_FORCE, f"generation {in_force} is in force")
    if in_force is None and accepted.status is FALSE:
        return Verdict(FALSE, OperatorReason.NOT_IN_FORCE, "nothing of this object is in force")
    return rollout


def _ready(*parts: Verdict) -> Verdict:
    for part in parts:
        if part.status is not TRUE:
            return part
    accepted = parts[0]
    if accepted.reason in _AS_WISHED:
        return accepted
    return Verdict(TRUE, OperatorReason.READY, "valid, resolved, and run by every ready router")


def _degraded(state: ObjectState, accepted: Verdict) -> Verdict | None:
    in_force = state.generation_in_force
    if in_force is None:
        return None
    if in_force != state.generation:
        message = f"generation {in_force} stays in force, generation {state.generation} is not"
    elif accepted.status is FALSE:
        message = "what was published of this generation before stays in force"
    else:
        return None
    return Verdict(TRUE, OperatorReason.LAST_GOOD_IN_FORCE, message)


def _speaking_in(condition: ConditionType, findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for item in findings:
        if FINDING_WORDS[item.reason].condition is condition:
            (errors if item.severity is Severity.ERROR else warnings).append(item)
    return errors, warnings


def _first_of(reason: str, errors: list[Finding]) -> str:
    """The condition's reason and the sentence after it must be about the same thing."""
    return told(sorted(errors, key=lambda item: item.reason != reason))


def _with_warnings(text: str, warnings: list[Finding]) -> str:
    if not warnings:
        return text
    begun = f"{text}; warning: "
    return begun + told(warnings, MAX_MESSAGE_CHARACTERS - len(begun))


def _since(before: Mapping[str, Any] | None, verdict: Verdict, now: str) -> str:
    # One without a generation is the API server's default, which has no time of its own.
    if before is None or before.get("status") != verdict.status.value or "observedGeneration" not in before:
        return now
    return before.get("lastTransitionTime") or now
