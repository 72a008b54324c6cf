"""Canary: a newcomer that takes a growing part of a policy's traffic while its numbers hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead_crds.kinds.bundle import BundleRef
from fairlead_crds.kinds.common import Choice, Model, ModelRef, Unit, how_many, in_order
from fairlead_crds.kinds.rules import Atomic, ListMap, Rule


class CanaryMetricName(Choice):
    """What a canary is judged by."""

    ERROR_PERCENT = "ErrorPercent"
    LATENCY_P50 = "LatencyP50Milliseconds"
    LATENCY_P95 = "LatencyP95Milliseconds"
    LATENCY_P99 = "LatencyP99Milliseconds"
    FIRST_BYTE_P95 = "FirstByteP95Milliseconds"


class CanaryStep(Model):
    """One rung of the ladder."""

    weight_percent: int = Field(ge=0, le=100, description="Share of traffic on this step, in percent.")
    pause_seconds: int = Field(
        300, ge=0, le=2592000, description="Seconds to stay before the next step, if the analysis agrees."
    )


class CanaryMetric(Model):
    """One number that must hold."""

    name: CanaryMetricName = Field(description="The metric; its unit is in the name.")
    max_increase_percent: int | None = Field(
        None, ge=0, le=1000, description="Most it may lie above the rest of the traffic, in percent."
    )
    max: int | None = Field(None, ge=0, le=86400000, description="Most it may be, in the metric's unit.")

    rules = (
        Rule(
            cel="has(self.maxIncreasePercent) || has(self.max)",
            message="a metric needs maxIncreasePercent, max or both: add one",
            check=lambda m: how_many(m.max_increase_percent, m.max) > 0,
        ),
    )


class CanaryAnalysis(Model):
    """When a canary may go on and when it is taken back."""

    interval_seconds: int = Field(60, ge=10, le=86400, description="Seconds between two judgements.")
    min_samples: int = Field(200, ge=1, le=10000000, description="Requests of the canary before it is judged.")
    alpha_percent: int = Field(
        5, ge=1, le=50, description="Accepted probability in percent of taking back a canary that is no worse."
    )
    metrics: Annotated[tuple[CanaryMetric, ...], ListMap(min=1, max=16)] = Field(
        description="The numbers that must hold, all of them."
    )


class Canary(Model):
    """A model or bundle that takes part of the traffic before the strategy decides on the rest."""

    model_ref: ModelRef | None = Field(None, description="The model that takes the share.")
    bundle: BundleRef | None = Field(
        None, description="The learned model that decides for the share, under strategy Learned."
    )
    weight_percent: int = Field(
        ge=0, le=100, description="Share of traffic in percent; with steps, where they lead to."
    )
    unit: Unit = Field(
        Unit.USER,
        description="What stays on the same side; falls to the next known one of User, Session, Request, "
        "Workspace if the request lacks it.",
    )
    steps: Annotated[tuple[CanaryStep, ...], Atomic(max=32)] = Field(
        (), description="Shares on the way to weightPercent. Empty: weightPercent at once."
    )
    analysis: CanaryAnalysis | None = Field(
        None, description="What takes the canary back. Absent: steps advance by time alone."
    )

    rules = (
        Rule(
            cel="has(self.modelRef) != has(self.bundle)",
            message="a canary takes exactly one of modelRef and bundle: remove one or add the missing one",
            check=lambda c: how_many(c.model_ref, c.bundle) == 1,
        ),
        Rule(
            cel="!has(self.steps) || (self.steps.map(s, s.weightPercent).isSorted()"
            " && self.steps.all(s, s.weightPercent <= self.weightPercent))",
            message="the weightPercent of steps must not fall and not exceed the canary's weightPercent: reorder "
            "the steps or raise weightPercent",
            check=lambda c: in_order(*(s.weight_percent for s in c.steps), c.weight_percent),
            field="steps",
        ),
    )
