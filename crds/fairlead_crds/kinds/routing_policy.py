"""RoutingPolicy: which requests it takes and which model answers them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead_crds.kinds.bundle import BundleRef
from fairlead_crds.kinds.canary import Canary
from fairlead_crds.kinds.common import (
    Choice,
    CircuitBreakerOverride,
    Constraints,
    Model,
    ModelRef,
    TimeoutsOverride,
    Unit,
    in_order,
)
from fairlead_crds.kinds.conditions import Status
from fairlead_crds.kinds.match import Match
from fairlead_crds.kinds.meta import ObjectMeta
from fairlead_crds.kinds.rules import Atomic, ListMap, ListSet, Rule
from fairlead_crds.kinds.scalars import MAX_COUNT, USD, DnsLabel, Message, ObjectName, Statistic


class Precedence(Choice):
    """On which side of the tenants' policies a policy stands."""

    OVERRIDE = "Override"
    NORMAL = "Normal"
    DEFAULT = "Default"


class Strategy(Choice):
    """How one of the targets is chosen."""

    WEIGHTED = "Weighted"
    PRIORITY = "Priority"
    LEAST_COST = "LeastCost"
    LOWEST_LATENCY = "LowestLatency"
    HIGHEST_QUALITY = "HighestQuality"
    PARETO = "Pareto"
    LEARNED = "Learned"
    BANDIT = "Bandit"


class FallbackCause(Choice):
    """What went wrong with a target."""

    ERROR = "Error"
    TIMEOUT = "Timeout"
    RATE_LIMITED = "RateLimited"
    CONTEXT_WINDOW = "ContextWindow"
    CONTENT_POLICY = "ContentPolicy"


class RetryCause(Choice):
    """After what the same target is tried again."""

    CONNECT_FAILURE = "ConnectFailure"
    TIMEOUT = "Timeout"
    SERVER_ERROR = "ServerError"
    RATE_LIMITED = "RateLimited"


class BanditAlgorithm(Choice):
    """How a bandit balances trying and using."""

    THOMPSON_SAMPLING = "ThompsonSampling"
    EPSILON_GREEDY = "EpsilonGreedy"


class BanditContext(Choice):
    """What a bandit keeps apart."""

    CATEGORY = "Category"
    DIFFICULTY = "Difficulty"
    LANGUAGE = "Language"
    REQUEST_TYPE = "RequestType"
    WORKSPACE = "Workspace"
    USER_TIER = "UserTier"


class CacheScope(Choice):
    """Among whom cached answers are shared."""

    WORKSPACE = "Workspace"


class Target(Model):
    """One model the policy may choose."""

    name: DnsLabel = Field(description="Name of the target, unique in the policy; shown in decisions and metrics.")
    model_ref: ModelRef = Field(description="The model.")
    weight: int = Field(
        100,
        ge=0,
        le=1000,
        description="Share under strategy Weighted, relative to the sum; 0 draws no traffic but still serves as "
        "a fallback.",
    )
    fallback_order: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Lower is tried earlier, by strategy Priority and after a failure. Absent: after those that "
        "have one, in list order.",
    )


class Fallback(Model):
    """A model tried after the targets, for some causes."""

    on: Annotated[tuple[FallbackCause, ...], ListSet(min=1, max=8)] = Field(
        description="Causes it is tried for: Error, Timeout, RateLimited, ContextWindow, ContentPolicy. Quote "
        'this key in YAML ("on"): '
        "unquoted it is read as the boolean true."
    )
    model_ref: ModelRef = Field(description="The model.")


class Affinity(Model):
    """Keeps a conversation on one model while that model is healthy, so that prompt caches are of use."""

    unit: Unit = Field(
        Unit.SESSION, description="What is kept together; falls to the next known one if the request lacks it."
    )
    ttl_seconds: int = Field(
        3600, ge=1, le=2592000, description="Seconds after the last request until the choice is forgotten."
    )


class Objective(Model):
    """How quality, cost and latency weigh against one another; only their proportions matter."""

    quality_weight: int = Field(4, ge=0, le=100, description="Weight of quality.")
    cost_weight: int = Field(1, ge=0, le=100, description="Weight of cost.")
    latency_weight: int = Field(1, ge=0, le=100, description="Weight of latency.")

    rules = (
        Rule(
            cel="self.qualityWeight + self.costWeight + self.latencyWeight > 0",
            message="at least one of qualityWeight, costWeight and latencyWeight must be above 0: raise one",
            check=lambda o: o.quality_weight + o.cost_weight + o.latency_weight > 0,
        ),
    )


class Learned(Model):
    """Settings of strategy Learned."""

    bundle: BundleRef = Field(description="The learned model.")
    min_confidence_percent: int = Field(
        70, ge=0, le=100, description="Confidence in percent below which fallbackStrategy decides."
    )
    fallback_strategy: Strategy = Field(
        Strategy.WEIGHTED, description="Decides while the bundle is absent or unsure; neither Learned nor Bandit."
    )
    objective: Objective | None = Field(
        None, description="What the choice optimises. Absent: the defaults of the block's fields."
    )

    rules = (
        Rule(
            cel="!(self.fallbackStrategy in ['Learned', 'Bandit'])",
            message="fallbackStrategy must decide without learning: choose another than Learned and Bandit, such "
            "as Weighted",
            check=lambda s: s.fallback_strategy not in (Strategy.LEARNED, Strategy.BANDIT),
            field="fallbackStrategy",
        ),
    )


class Bandit(Model):
    """Settings of strategy Bandit."""

    algorithm: BanditAlgorithm = Field(
        BanditAlgorithm.THOMPSON_SAMPLING, description="How trying and using are balanced."
    )
    epsilon_percent: int = Field(10, ge=0, le=100, description="Share in percent drawn at random, by EpsilonGreedy.")
    floor_percent: int = Field(
        5, ge=0, le=50, description="Least share in percent every target keeps, so that its numbers stay fresh."
    )
    ceiling_percent: int = Field(90, ge=1, le=100, description="Most a single target may get, in percent.")
    context_by: Annotated[tuple[BanditContext, ...], ListSet(max=4)] = Field(
        (BanditContext.CATEGORY,),
        description="Facts of a request by which statistics are kept apart; empty keeps one for all.",
    )
    half_life_hours: int = Field(72, ge=1, le=8760, description="Hours after which an observation counts half.")
    reward: Objective | None = Field(
        None, description="What counts as success. Absent: the defaults of the block's fields."
    )

    rules = (
        Rule(
            cel="self.floorPercent <= self.ceilingPercent",
            message="floorPercent must not exceed ceilingPercent: lower floorPercent or raise ceilingPercent "
            "(defaults 5 and 90)",
            check=lambda b: b.floor_percent <= b.ceiling_percent,
        ),
    )


class Retries(Model):
    """Further tries on the same target, before another is taken."""

    attempts: int = Field(
        1, ge=0, le=10, description="Additional tries on the same target after the first; 0 turns retries off."
    )
    per_attempt_seconds: int | None = Field(
        None, ge=1, le=86400, description="Seconds one try may take. Absent: timeouts alone."
    )
    total_seconds: int | None = Field(
        None, ge=1, le=86400, description="Seconds all tries on all targets together may take. Absent: unlimited."
    )
    retry_on: Annotated[tuple[RetryCause, ...], ListSet(max=8)] = Field(
        (RetryCause.CONNECT_FAILURE, RetryCause.TIMEOUT, RetryCause.SERVER_ERROR, RetryCause.RATE_LIMITED),
        description="What is tried again; nothing is, once the first byte reached the client.",
    )

    rules = (
        Rule(
            cel="!has(self.perAttemptSeconds) || !has(self.totalSeconds) || self.perAttemptSeconds <= "
            "self.totalSeconds",
            message="perAttemptSeconds must not exceed totalSeconds: lower perAttemptSeconds or raise totalSeconds",
            check=lambda r: in_order(r.per_attempt_seconds, r.total_seconds),
        ),
    )


class Hedge(Model):
    """A second request to another model when the first is slow; the earlier answer wins, both are paid."""

    after_percentile: int = Field(
        95, ge=50, le=99, description="Percentile of the model's first-byte time after which the second request leaves."
    )
    max_percent: int = Field(5, ge=1, le=50, description="Most requests that may be hedged, in percent.")


class Cache(Model):
    """Answers kept and given again to the same request. Off unless the block is there, since it stores text."""

    ttl_seconds: int = Field(600, ge=1, le=604800, description="Seconds an answer is kept.")
    scope: CacheScope = Field(
        CacheScope.WORKSPACE, description="Among whom answers are shared; always within one workspace."
    )


class Shadow(Model):
    """Copies of requests to a model whose answers nobody sees."""

    model_ref: ModelRef = Field(description="The model that gets the copies.")
    percent: int = Field(5, ge=1, le=100, description="Share of requests copied, in percent.")
    budget_usd_per_day: USD = Field(
        USD("5"), description="US dollars per day after which no more is copied, as a decimal string."
    )


def _distinct_orders(spec: RoutingPolicySpec) -> bool:
    orders = [target.fallback_order for target in spec.targets if target.fallback_order is not None]
    return spec.strategy is not Strategy.PRIORITY or len(orders) == len(set(orders))


def _shares_fit(spec: RoutingPolicySpec) -> bool:
    if spec.bandit is None:
        return True
    count = len(spec.targets)
    return spec.bandit.floor_percent * count <= 100 <= spec.bandit.ceiling_percent * count


class RoutingPolicySpec(Model):
    """Which requests the policy takes and which model answers them."""

    precedence: Precedence = Field(
        Precedence.NORMAL,
        description="Override beats every tenant, Default yields to all; both only in a platform namespace.",
    )
    priority: int = Field(
        0, ge=-1000000, le=1000000, description="Higher is asked first. Ties: the older, then by namespace/name."
    )
    suspend: bool = Field(False, description="true takes the policy out of force without deleting it.")
    match: Match = Field(
        default_factory=Match,
        description="Which requests the policy takes. Absent: those for the model auto.",
        # An absent match must still get the default of match.models from the API server.
        json_schema_extra={"default": {}},
    )
    strategy: Strategy = Field(Strategy.WEIGHTED, description="How one of the targets is chosen.")
    targets: Annotated[tuple[Target, ...], ListMap(min=1, max=32)] = Field(description="The models to choose from.")
    fallbacks: Annotated[tuple[Fallback, ...], Atomic(max=16)] = Field(
        (), description="Tried after the targets, in this order, by cause."
    )
    canary: Canary | None = Field(
        None, description="A newcomer that takes part of the traffic before the strategy decides on the rest."
    )
    affinity: Affinity | None = Field(
        None, description="Keeps a conversation on one model. Absent: every request is decided anew."
    )
    constraints: Constraints | None = Field(
        None, description="What a model must meet; intersected with those of the workspace."
    )
    learned: Learned | None = Field(None, description="Settings of strategy Learned, required by it.")
    bandit: Bandit | None = Field(None, description="Settings of strategy Bandit, required by it.")
    retries: Retries | None = Field(
        None, description="Further tries on the same target. Absent: the defaults of the block's fields."
    )
    hedge: Hedge | None = Field(None, description="A second request when the first is slow. Absent: never.")
    timeouts: TimeoutsOverride | None = Field(None, description="Replaces timeouts of the providers.")
    circuit_breaker: CircuitBreakerOverride | None = Field(
        None, description="Replaces circuit-breaker settings of the providers."
    )
    cache: Cache | None = Field(
        None, description="Keeps answers, sealed, and gives them again. Absent: nothing is kept."
    )
    shadow: Shadow | None = Field(None, description="Copies requests to another model. Absent: never.")

    rules = (
        Rule(
            cel="self.strategy != 'Weighted' || self.targets.exists(t, t.weight > 0)",
            message="strategy Weighted needs at least one target with a weight above 0: raise a weight",
            check=lambda s: s.strategy is not Strategy.WEIGHTED or any(t.weight > 0 for t in s.targets),
            field="targets",
        ),
        Rule(
            cel="self.strategy != 'Priority' || self.targets.all(t, !has(t.fallbackOrder)"
            " || self.targets.exists_one(u, has(u.fallbackOrder) && u.fallbackOrder == t.fallbackOrder))",
            message="strategy Priority needs a different fallbackOrder for every target that has one: renumber them",
            check=_distinct_orders,
            field="targets",
        ),
        Rule(
            cel="(self.strategy == 'Learned') == has(self.learned)",
            message="the block learned goes with strategy Learned and only with it: set strategy to Learned or "
            "remove the block",
            check=lambda s: (s.strategy is Strategy.LEARNED) == (s.learned is not None),
            field="learned",
        ),
        Rule(
            cel="(self.strategy == 'Bandit') == has(self.bandit)",
            message="the block bandit goes with strategy Bandit and only with it: set strategy to Bandit or "
            "remove the block",
            check=lambda s: (s.strategy is Strategy.BANDIT) == (s.bandit is not None),
            field="bandit",
        ),
        Rule(
            cel="!has(self.bandit) || (self.bandit.floorPercent * size(self.targets) <= 100"
            " && self.bandit.ceilingPercent * size(self.targets) >= 100)",
            message="floorPercent times the number of targets must be at most 100 and ceilingPercent times it at "
            "least 100: "
            "change the shares or the number of targets",
            check=_shares_fit,
            field="bandit",
        ),
    )


class Evidence(Model):
    """One metric of a canary beside what it is compared with."""

    name: ObjectName = Field(description="Name of the metric.")
    canary: Statistic | None = Field(None, description="Value of the canary, as a decimal string.")
    baseline: Statistic | None = Field(None, description="Value of the rest of the traffic, as a decimal string.")
    samples: int | None = Field(None, ge=0, le=MAX_COUNT, description="Requests of the canary it rests on.")
    message: Message = Field("", description="What was concluded.")


class CanaryStatus(Model):
    """How far the canary has come."""

    step: int | None = Field(None, ge=0, le=32, description="Steps completed.")
    weight_percent: int | None = Field(None, ge=0, le=100, description="Share in force, in percent.")
    reason: ObjectName | None = Field(None, description="Why it stands there, as one CamelCase word.")
    evidence: Annotated[tuple[Evidence, ...], ListMap(max=16)] = Field(
        (), description="The metrics of the last analysis."
    )


class Effective(Model):
    """How the policy stands to others over the same requests."""

    overridden_by: Annotated[tuple[ObjectName, ...], ListSet(max=32)] = Field(
        (), description="Policies asked before, as namespace/name."
    )
    shadows: Annotated[tuple[ObjectName, ...], ListSet(max=32)] = Field(
        (), description="Policies that get nothing because of this one, as namespace/name."
    )


class RoutingPolicyStatus(Status):
    """What became of the policy."""

    canary: CanaryStatus | None = Field(None, description="How far the canary has come.")
    matched_requests: int | None = Field(
        None, ge=0, le=MAX_COUNT, description="Requests decided by the policy since it was last changed."
    )
    effective: Effective | None = Field(None, description="How the policy stands to others.")


class RoutingPolicy(Model):
    """Which requests go to which models, with canaries, fallbacks and hard constraints."""

    api_version: Literal["fairlead.dev/v1alpha1"]
    kind: Literal["RoutingPolicy"]
    metadata: ObjectMeta
    spec: RoutingPolicySpec
