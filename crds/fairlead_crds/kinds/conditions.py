"""Conditions: how every kind says whether it is valid, resolved, running, and why not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fairlead_crds.kinds.common import Choice, Model
from fairlead_crds.kinds.rules import ListMap
from fairlead_crds.kinds.scalars import CONDITION_TYPE, MAX_COUNT, REASON, Instant, Message


class ConditionStatus(Choice):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One aspect of the object's state, in the shape all Kubernetes tools read.

    `type` and `reason` are open words in the schema, so that a newer operator can write to an older CRD.
    """

    type: Annotated[str, StringConstraints(min_length=1, max_length=316, pattern=CONDITION_TYPE)] = Field(
        description="Accepted, ResolvedRefs, Programmed, Ready; abnormal when True: Reconciling, Stalled, Degraded."
    )
    status: ConditionStatus = Field(description="Whether the condition holds: True, False or Unknown.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=REASON)] = Field(
        description="One CamelCase word that says why, for machines."
    )
    message: Message = Field(description="What it means and what to do, for people.")
    last_transition_time: Instant = Field(description="When status last changed.")
    observed_generation: int | None = Field(
        None, ge=0, le=MAX_COUNT, description="The metadata.generation the condition speaks of."
    )


Conditions = Annotated[tuple[Condition, ...], ListMap(max=16, keys=("type",))]


class Status(Model):
    """What the status of every kind begins with."""

    observed_generation: int | None = Field(
        None, ge=0, le=MAX_COUNT, description="The metadata.generation this status speaks of."
    )
    conditions: Conditions = Field(
        (),
        description="Accepted: the spec is valid and in force. ResolvedRefs: all references were found. "
        "Programmed: every ready router runs this generation. Ready: all of it.",
    )
