"""A whole status as it should be, and whether what is written differs from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_crds.compile import Finding, ObjectState
from fairlead_operator.status.conditions import conditions
from fairlead_operator.status.endpoints import Endpoints, carried_over, degradation, status_of
from fairlead_operator.status.reasons import ConditionType
from fairlead_operator.status.verdict import Verdict

NO_ENDPOINTS: Endpoints = {}
"""Of an object that has none."""

_CONDITION_TYPES = frozenset(kind.value for kind in ConditionType)
_SAID = ("status", "reason", "message", "observedGeneration")
_NUMBERS = ("observedGeneration", "modelCount", "usedByPolicies")
_BLOCKS = {"canary": ("weightPercent", "reason"), "effective": ("overriddenBy", "shadows")}


def desired_status(
    state: ObjectState,
    findings: Sequence[Finding],
    rollout: Verdict,
    summary: Mapping[str, Any],
    current: Mapping[str, Any] | None,
    now: str,
    endpoints: Endpoints | None = NO_ENDPOINTS,
) -> dict[str, Any]:
    """Everything this writer owns of the status, in the shape of the API.

    ``current`` is the status as written, from which times are carried on; ``now`` is RFC 3339. While no router was asked
    yet how ``endpoints`` fare (``None``), what is written of them stays.
    """
    written = current or {}
    before = written.get("conditions") or ()
    shown = written.get("endpoints") if endpoints is None else status_of(endpoints)
    degraded = carried_over(written) if endpoints is None else degradation(endpoints)
    return {
        "observedGeneration": state.generation,
        "conditions": conditions(state, findings, rollout, before, now, degraded),
        **summary,
        **({"endpoints": shown} if shown else {}),
    }


def differs(current: Mapping[str, Any] | None, desired: Mapping[str, Any]) -> bool:
    """Whether ``desired`` is worth a write.

    Not for fields and condition types of other writers, the order of sets, or a time alone. What this writer wrote
    once and does not wish any more does count.
    """
    return current != desired and _owned(current or {}) != _owned(desired)


def _owned(status: Mapping[str, Any]) -> dict[str, Any]:
    owned: dict[str, Any] = {name: status.get(name) for name in _NUMBERS}
    for item in status.get("conditions") or ():
        if item.get("type") in _CONDITION_TYPES:
            owned[f"condition {item['type']}"] = [item.get(name) for name in _SAID]
    for name, fields in _BLOCKS.items():
        block = status.get(name) or {}
        for field in fields:
            value = block.get(field)
            owned[f"{name}.{field}"] = sorted(value) if isinstance(value, list | tuple) else value
    for item in status.get("endpoints") or ():
        owned[f"endpoint {item.get('name')}"] = dict(item)
    return owned
