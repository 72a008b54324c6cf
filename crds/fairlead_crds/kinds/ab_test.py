"""ABTest: an experiment that splits the traffic of one policy or match and says which arm is better."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead_crds.kinds.bundle import BundleRef
from fairlead_crds.kinds.common import Choice, LocalObjectRef, Model, ModelRef, Unit, how_many
from fairlead_crds.kinds.conditions import Status
from fairlead_crds.kinds.match import Match
from fairlead_crds.kinds.meta import ObjectMeta
from fairlead_crds.kinds.rules import ListMap, Rule
from fairlead_crds.kinds.scalars import MAX_COUNT, DnsLabel, Instant, Statistic


class ExperimentMetricName(Choice):
    """What arms are compared by."""

    QUALITY = "Quality"
    COST_USD = "CostUSD"
    LATENCY = "LatencyMilliseconds"
    FIRST_BYTE = "FirstByteMilliseconds"
    SUCCESS = "SuccessPercent"
    FEEDBACK = "Feedback"


class MetricRole(Choice):
    """What a metric decides."""

    PRIMARY = "Primary"
    GUARDRAIL = "Guardrail"


class Direction(Choice):
    """Which way is better."""

    INCREASE = "Increase"
    DECREASE = "Decrease"


class AnalysisMethod(Choice):
    """When the numbers may be looked at."""

    ALWAYS_VALID = "AlwaysValid"
    FIXED_HORIZON = "FixedHorizon"


class OnWinner(Choice):
    """What follows when an arm wins."""

    NONE = "None"
    PROMOTE = "Promote"


class OnGuardrailBreach(Choice):
    """What follows when an arm harms a guardrail."""

    STOP = "Stop"
    ALERT = "Alert"


class Decision(Choice):
    """Where an experiment stands."""

    RUNNING = "Running"
    WON = "Won"
    NO_DIFFERENCE = "NoDifference"
    STOPPED = "Stopped"
    EXPIRED = "Expired"


class Arm(Model):
    """One way to answer, with its share of the traffic."""

    name: DnsLabel = Field(description="Name of the arm, unique in the experiment.")
    model_ref: ModelRef | None = Field(None, description="A model answers.")
    bundle: BundleRef | None = Field(None, description="A learned model chooses among the policy's targets.")
    policy_ref: LocalObjectRef | None = Field(None, description="Another RoutingPolicy of the namespace chooses.")
    weight_percent: int = Field(ge=0, le=100, description="Share of the experiment's traffic in percent.")

    rules = (
        Rule(
            cel="[has(self.modelRef), has(self.bundle), has(self.policyRef)].exists_one(given, given)",
            message="an arm takes exactly one of modelRef, bundle and policyRef: keep one",
            check=lambda a: how_many(a.model_ref, a.bundle, a.policy_ref) == 1,
        ),
    )


class ExperimentMetric(Model):
    """One number by which arms are compared with the control."""

    name: ExperimentMetricName = Field(description="The metric; its unit is in the name.")
    role: MetricRole = Field(description="Primary decides the experiment; a Guardrail must not get worse.")
    direction: Direction | None = Field(
        None,
        description="Which way is better. Absent: Decrease for CostUSD, LatencyMilliseconds and "
        "FirstByteMilliseconds, Increase for the others.",
    )
    min_detectable_percent: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Smallest relative difference in percent worth finding, for the Primary; sizes the experiment.",
    )
    max_regression_percent: int | None = Field(
        None, ge=0, le=1000, description="Most a Guardrail may get worse against the control, in percent."
    )

    rules = (
        Rule(
            cel="(self.role == 'Guardrail') == has(self.maxRegressionPercent)",
            message="maxRegressionPercent goes with role Guardrail and only with it: add it, remove it or change "
            "the role",
            check=lambda m: (m.role is MetricRole.GUARDRAIL) == (m.max_regression_percent is not None),
            field="maxRegressionPercent",
        ),
        Rule(
            cel="self.role == 'Primary' || !has(self.minDetectablePercent)",
            message="minDetectablePercent goes with role Primary only: remove it or change the role",
            check=lambda m: m.role is MetricRole.PRIMARY or m.min_detectable_percent is None,
            field="minDetectablePercent",
        ),
    )


class ExperimentAnalysis(Model):
    """How the arms are compared."""

    method: AnalysisMethod = Field(
        AnalysisMethod.ALWAYS_VALID,
        description="AlwaysValid may be looked at and stopped at any time; FixedHorizon is judged once, at endTime.",
    )
    alpha_percent: int = Field(
        5, ge=1, le=50, description="Accepted probability in percent of declaring a winner where there is none."
    )
    min_samples_per_arm: int = Field(
        200, ge=1, le=10000000, description="Samples every arm needs before anything is concluded."
    )
    interval_seconds: int = Field(60, ge=10, le=86400, description="Seconds between two evaluations.")


class ABTestSpec(Model):
    """What is compared, on which traffic, by which numbers."""

    policy_ref: LocalObjectRef | None = Field(
        None, description="Experiments on the requests of this RoutingPolicy of the namespace."
    )
    match: Match | None = Field(None, description="Experiments on the requests that match, whatever policy takes them.")
    suspend: bool = Field(False, description="true takes the experiment out of force; its samples are kept.")
    arms: Annotated[tuple[Arm, ...], ListMap(min=2, max=8)] = Field(
        description="What is compared; the first is the control."
    )
    unit: Unit = Field(
        Unit.USER, description="What stays in the same arm; falls to the next known one if the request lacks it."
    )
    start_time: Instant | None = Field(None, description="When it begins. Absent: when it is accepted.")
    end_time: Instant | None = Field(None, description="When it ends undecided. Absent: never.")
    metrics: Annotated[tuple[ExperimentMetric, ...], ListMap(min=1, max=16)] = Field(
        description="The numbers, exactly one of them Primary."
    )
    analysis: ExperimentAnalysis | None = Field(
        None, description="How the arms are compared. Absent: the defaults of the block's fields."
    )
    on_winner: OnWinner = Field(
        OnWinner.NONE,
        description="None only reports. Promote moves the weights to the winner in what is published; spec stays "
        "as it is.",
    )
    on_guardrail_breach: OnGuardrailBreach = Field(
        OnGuardrailBreach.STOP, description="Stop sends all traffic to the control; Alert only reports."
    )

    rules = (
        Rule(
            cel="has(self.policyRef) != has(self.match)",
            message="an experiment takes exactly one of policyRef and match: remove one or add the missing one",
            check=lambda s: how_many(s.policy_ref, s.match) == 1,
        ),
        Rule(
            cel="self.arms.map(a, a.weightPercent).sum() == 100",
            message="the weightPercent of all arms must add up to 100: change the weights",
            check=lambda s: sum(arm.weight_percent for arm in s.arms) == 100,
            field="arms",
        ),
        Rule(
            cel="!has(self.startTime) || !has(self.endTime) || self.startTime < self.endTime",
            message="startTime must be before endTime: swap or change them",
            check=lambda s: s.start_time is None or s.end_time is None or s.start_time < s.end_time,
            field="endTime",
        ),
        Rule(
            cel="self.metrics.exists_one(m, m.role == 'Primary')",
            message="exactly one metric must have role Primary: change the roles",
            check=lambda s: sum(m.role is MetricRole.PRIMARY for m in s.metrics) == 1,
            field="metrics",
        ),
        Rule(
            cel="!has(self.analysis) || self.analysis.method != 'FixedHorizon' || has(self.endTime)",
            message="method FixedHorizon is judged at endTime: add endTime or choose AlwaysValid",
            check=lambda s: (
                s.analysis is None or s.analysis.method is not AnalysisMethod.FIXED_HORIZON or s.end_time is not None
            ),
            field="endTime",
        ),
    )


class Interval(Model):
    """Both ends of a confidence interval, as decimal strings."""

    low: Statistic = Field(description="Lower end.")
    high: Statistic = Field(description="Upper end.")


class ArmMetric(Model):
    """One number of one arm."""

    name: ExperimentMetricName = Field(description="The metric.")
    mean: Statistic | None = Field(None, description="Mean in the metric's unit, as a decimal string.")
    interval: Interval | None = Field(None, description="Confidence interval of the difference to the control.")
    difference: Statistic | None = Field(
        None, description="Difference to the control in the metric's unit, as a decimal string."
    )
    p_value: Statistic | None = Field(
        None, description="Probability of such a difference without any effect, as a decimal string."
    )


class ArmStatus(Model):
    """How one arm fares."""

    name: DnsLabel = Field(description="Name of the arm in spec.")
    samples: int = Field(0, ge=0, le=MAX_COUNT, description="Units that count.")
    metrics: Annotated[tuple[ArmMetric, ...], ListMap(max=16)] = Field((), description="The numbers of the arm.")


class ABTestStatus(Status):
    """How the experiment stands."""

    arms: Annotated[tuple[ArmStatus, ...], ListMap(max=8)] = Field((), description="How the arms fare.")
    sample_ratio_p_value: Statistic | None = Field(
        None,
        description="Probability of the observed split under the configured weights; a tiny value means the "
        "split is broken.",
    )
    decision: Decision | None = Field(None, description="Where the experiment stands.")
    winner: DnsLabel | None = Field(None, description="Name of the arm that won.")
    since: Instant | None = Field(None, description="Since when the decision stands.")


class ABTest(Model):
    """An experiment: splits the traffic of a policy or match between arms and says which is better."""

    api_version: Literal["fairlead.dev/v1alpha1"]
    kind: Literal["ABTest"]
    metadata: ObjectMeta
    spec: ABTestSpec
