"""WorkspaceBudget: what a workspace may spend, use and send, and who may speak for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead_crds.kinds.common import Choice, Constraints, Model, ModelRef, ObjectKeyRef, how_many, in_order
from fairlead_crds.kinds.conditions import Status
from fairlead_crds.kinds.meta import ObjectMeta
from fairlead_crds.kinds.rules import Atomic, ListMap, ListSet, Rule
from fairlead_crds.kinds.scalars import USD, DnsLabel, Instant, ObjectName, Statistic, TimeZone, Token, WorkspaceName


class OnExceeded(Choice):
    """What happens to a request the budget no longer covers."""

    BLOCK = "Block"
    DOWNGRADE = "Downgrade"
    WARN = "Warn"


class StoreAction(Choice):
    """What happens while the store of spend is out of reach."""

    ALLOW = "Allow"
    DENY = "Deny"


class RateResource(Choice):
    """What a rate limit counts."""

    REQUESTS = "Requests"
    TOKENS = "Tokens"


class RateScope(Choice):
    """Who shares a rate limit."""

    WORKSPACE = "Workspace"
    KEY = "Key"
    USER = "User"


class AccessRole(Choice):
    """What a key may do."""

    VIEWER = "Viewer"
    USER = "User"
    OPERATOR = "Operator"
    ADMIN = "Admin"


class WindowName(Choice):
    """A period of the budget."""

    DAILY = "Daily"
    WEEKLY = "Weekly"
    MONTHLY = "Monthly"


def _micros(amount: USD | None) -> int | None:
    return None if amount is None else amount.micros


class SpendLimits(Model):
    """Most the workspace may spend per calendar period, in US dollars as decimal strings."""

    daily_usd: USD | None = Field(None, description="US dollars per day.")
    weekly_usd: USD | None = Field(None, description="US dollars per week, from Monday.")
    monthly_usd: USD | None = Field(None, description="US dollars per month.")

    rules = (
        Rule(
            cel="has(self.dailyUSD) || has(self.weeklyUSD) || has(self.monthlyUSD)",
            message="limits needs at least one of dailyUSD, weeklyUSD and monthlyUSD: add one or remove the block",
            check=lambda x: how_many(x.daily_usd, x.weekly_usd, x.monthly_usd) > 0,
        ),
        Rule(
            cel="(!has(self.dailyUSD) || !has(self.weeklyUSD) || double(self.dailyUSD) <= double(self.weeklyUSD))"
            " && (!has(self.weeklyUSD) || !has(self.monthlyUSD) || double(self.weeklyUSD) <= double(self.monthlyUSD))"
            " && (!has(self.dailyUSD) || !has(self.monthlyUSD) || double(self.dailyUSD) <= double(self.monthlyUSD))",
            message="a shorter period must not allow more than a longer one: keep dailyUSD <= weeklyUSD <= monthlyUSD",
            check=lambda x: in_order(_micros(x.daily_usd), _micros(x.weekly_usd), _micros(x.monthly_usd)),
        ),
    )


class DowngradeTarget(Model):
    """One model to fall to."""

    model_ref: ModelRef = Field(description="The model.")


class Downgrade(Model):
    """Where requests go once the budget is spent."""

    targets: Annotated[tuple[DowngradeTarget, ...], Atomic(min=1, max=16)] = Field(
        description="Models tried in this order, if the hard constraints allow."
    )


class OnStoreUnavailable(Model):
    """What happens while the store of spend is out of reach."""

    action: StoreAction = Field(
        StoreAction.ALLOW, description="Allow lets every router spend a local slice; Deny refuses."
    )
    slice_usd: USD = Field(
        USD("1"),
        description="US dollars each router may spend meanwhile, as a decimal string; booked once the store is back.",
    )


class RateLimit(Model):
    """Most of one resource in a sliding window."""

    resource: RateResource = Field(description="What is counted: requests, or input and output tokens.")
    scope: RateScope = Field(RateScope.WORKSPACE, description="Who shares the limit.")
    limit: int = Field(ge=1, le=1000000000000, description="Requests or tokens per window.")
    window_seconds: int = Field(ge=1, le=2678400, description="Length of the window in seconds.")


class Access(Model):
    """One key that may speak for the workspace."""

    name: DnsLabel = Field(description="Name of the key, unique in the budget; shown in records.")
    secret_ref: ObjectKeyRef = Field(description="Key of a Secret with the token; only its hash leaves the operator.")
    role: AccessRole = Field(
        AccessRole.USER,
        description="Viewer reads, User calls models, Operator also changes; Admin only from a platform namespace.",
    )


class WorkspaceBudgetSpec(Model):
    """What the workspace may spend, use and send."""

    workspace: WorkspaceName = Field(
        description="The workspace claimed. The namespace must have the right to it; among rightful claims the "
        "oldest wins."
    )
    limits: SpendLimits | None = Field(None, description="Most it may spend. Absent: unlimited.")
    time_zone: TimeZone = Field("UTC", description="IANA time zone in which days, weeks and months begin.")
    warn_at_percent: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], ListSet(max=8)] = Field(
        (80, 95), description="Shares of a limit in percent at which an event and a metric warn."
    )
    on_exceeded: OnExceeded = Field(
        OnExceeded.BLOCK, description="Block refuses, Downgrade takes a cheaper model, Warn lets pass and reports."
    )
    downgrade: Downgrade | None = Field(
        None,
        description="Where to fall to under Downgrade. Absent: the cheapest candidate that satisfies the hard "
        "constraints.",
    )
    on_store_unavailable: OnStoreUnavailable | None = Field(
        None, description="While the store is out of reach. Absent: the defaults of the block's fields."
    )
    allowed_models: Annotated[tuple[ModelRef, ...], Atomic(min=1, max=256)] = Field(
        (), description="The only models the workspace may use. Absent: any it can see. Hard."
    )
    constraints: Constraints | None = Field(None, description="Added to every request of the workspace.")
    compliance: Annotated[tuple[Token, ...], ListSet(max=32)] = Field(
        (), description="Compliance regimes every model used must list. Hard."
    )
    rate_limits: Annotated[tuple[RateLimit, ...], ListMap(max=32, keys=("resource", "scope", "windowSeconds"))] = Field(
        (), description="Limits on requests and tokens; all hold at once."
    )
    access: Annotated[tuple[Access, ...], ListMap(max=64)] = Field(
        (), description="Keys that may speak for the workspace."
    )

    rules = (
        Rule(
            cel="!has(self.downgrade) || (has(self.onExceeded) && self.onExceeded == 'Downgrade')",
            message="downgrade goes with onExceeded: Downgrade only: set onExceeded or remove downgrade",
            check=lambda s: s.downgrade is None or s.on_exceeded is OnExceeded.DOWNGRADE,
            field="downgrade",
        ),
    )


class WindowStatus(Model):
    """One period of the budget."""

    name: WindowName = Field(description="Which period.")
    spent_usd: Statistic | None = Field(None, description="US dollars spent, as a decimal string.")
    reserved_usd: Statistic | None = Field(
        None, description="US dollars held back for requests in flight, as a decimal string."
    )
    remaining_usd: Statistic | None = Field(
        None, description="US dollars left, as a decimal string; negative if overspent."
    )
    reset_time: Instant | None = Field(None, description="When the period ends.")
    forecast_exhausted_time: Instant | None = Field(
        None, description="When the limit will be reached at the present pace; absent if not in this period."
    )


class TopModel(Model):
    """One model and what it cost."""

    name: ObjectName = Field(description="The model, as namespace/provider/model.")
    spent_usd: Statistic | None = Field(None, description="US dollars spent this month, as a decimal string.")


class WorkspaceBudgetStatus(Status):
    """What the workspace has spent."""

    windows: Annotated[tuple[WindowStatus, ...], ListMap(max=3)] = Field((), description="The periods of the budget.")
    top_models: Annotated[tuple[TopModel, ...], ListMap(max=10)] = Field(
        (), description="The models that cost most this month."
    )


class WorkspaceBudget(Model):
    """What a workspace may spend, which models it may use, how fast it may ask and who may speak for it."""

    api_version: Literal["fairlead.dev/v1alpha1"]
    kind: Literal["WorkspaceBudget"]
    metadata: ObjectMeta
    spec: WorkspaceBudgetSpec
