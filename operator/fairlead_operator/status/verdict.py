"""What one condition says, before it has a time and a generation."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_crds.kinds.conditions import ConditionStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, why in one word, and why in a sentence."""

    status: ConditionStatus
    reason: str
    message: str
