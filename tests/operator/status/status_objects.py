"""States, findings and router reports in few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from fairlead_crds.compile import Compilation, Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.declared import ObjectKey
from fairlead_operator.status import Fleet, OperatorReason, RouterReport, Verdict
from fairlead_operator.status.reasons import FINDING_WORDS, ConditionType
from fairlead_operator.status.rollout import Refusal, Version
from fairlead_operator.status.verdict import FALSE, TRUE, UNKNOWN

NOW, EARLIER = "2026-03-01T12:00:00Z", "2026-01-01T00:00:00Z"

RUNNING = Verdict(TRUE, OperatorReason.PROGRAMMED, "every ready router runs this generation")
ROLLING = Verdict(FALSE, OperatorReason.ROLLING_OUT, "1 of 3 ready routers run this generation")
PENDING = Verdict(FALSE, OperatorReason.CREDENTIALS_PENDING, "the credentials have not arrived")
REFUSED = Verdict(FALSE, OperatorReason.SNAPSHOT_REFUSED, "router a refused")
NOBODY = Verdict(UNKNOWN, OperatorReason.NO_ROUTERS, "there is no ready router")
SILENT = Verdict(UNKNOWN, OperatorReason.ROUTERS_UNREACHABLE, "2 of 3 ready routers answered")
ROLLOUTS = (RUNNING, ROLLING, PENDING, REFUSED, NOBODY, SILENT)

WARNING_ONLY = frozenset(reason for reason, words in FINDING_WORDS.items() if words.meaning.startswith("Warning:"))
REFUSING = tuple(
    reason
    for reason, words in FINDING_WORDS.items()
    if words.condition is ConditionType.ACCEPTED and reason not in WARNING_ONLY
)
UNRESOLVED = tuple(
    reason
    for reason, words in FINDING_WORDS.items()
    if words.condition is ConditionType.RESOLVED_REFS and reason not in WARNING_ONLY
)


def state_of(
    accepted: str = "Accepted",
    resolved: str = "ResolvedRefs",
    *,
    kind: str = "RoutingPolicy",
    name: str = "main",
    generation: int = 3,
    in_force: int | None = 3,
    uid: str = "uid-1",
) -> ObjectState:
    fine = accepted in ("Accepted", "Suspended") or (accepted == "Paused" and in_force == generation)
    return ObjectState(
        kind, "team-a", name, uid, generation, in_force, fine, accepted, resolved == "ResolvedRefs", resolved
    )


def finding(
    reason: Reason, field: str = "spec.targets[0].modelRef", message: str = "", *, warning: bool = False
) -> Finding:
    severity = Severity.WARNING if warning or reason in {*WARNING_ONLY, Reason.PAUSED} else Severity.ERROR
    return Finding("RoutingPolicy", "team-a", "main", field, severity, reason, message or f"about {reason}: mend it")


def report(address: str = "10.0.0.1", version: Version | None = (1, 5), **fields: Any) -> RouterReport:
    return RouterReport(address, version, **fields)


def fleet(*versions: Version | None) -> Fleet:
    return Fleet(report(f"10.0.0.{number}", version) for number, version in enumerate(versions))


def refusal(version: Version, reason: str = "SchemaUnsupported") -> Refusal:
    return Refusal(version, reason, "upgrade the routers before the operator")


def by_type(conditions: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {item["type"]: item for item in conditions}


def words(conditions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """`{"Ready": "False/RollingOut"}` for all conditions."""
    return {item["type"]: f"{item['status']}/{item['reason']}" for item in conditions}


def findings_by_object(compilation: Compilation) -> dict[ObjectKey, list[Finding]]:
    found: dict[ObjectKey, list[Finding]] = {}
    for item in compilation.findings:
        found.setdefault(ObjectKey(item.kind, item.namespace, item.name), []).append(item)
    return found


def _situation(accepted: str, resolved: str, in_force: int | None) -> tuple[ObjectState, list[Finding]]:
    found = [finding(Reason(word)) for word in {accepted, resolved} & set(Reason)]
    return state_of(accepted, resolved, in_force=in_force), sorted(found)


SITUATIONS: st.SearchStrategy[tuple[ObjectState, list[Finding]]] = st.one_of(
    st.builds(
        _situation,
        st.sampled_from(["Accepted", "Suspended", "Paused"]),
        st.sampled_from(["ResolvedRefs", *[reason.value for reason in UNRESOLVED]]),
        st.sampled_from([3, 2, None]),
    ),
    st.builds(
        _situation,
        st.sampled_from([reason.value for reason in REFUSING]),
        st.sampled_from(["ResolvedRefs", "Invalid", *[reason.value for reason in UNRESOLVED]]),
        st.sampled_from([3, 2, None]),
    ),
)
"""What the compiler may say of one object, generation 3 of it as written."""
