"""Fragments: one object's compiled form, complete enough for a router to obey and for a compiler to carry forward.

A fragment has two kinds of fields. What the object itself says (its *intent*) depends on that object alone. What the
rest of the world makes of it (``unresolved``, ``withheld``, ``version``, ``visible_namespaces``) is decided anew at
each compilation, so that a fragment kept from an earlier generation still loses at once what others withdraw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

Certainty = Literal["Certain", "Ambiguous"]
Cause = Literal["Error", "Timeout", "RateLimited", "ContextWindow", "ContentPolicy"]
Precedence = Literal["Override", "Normal", "Default"]
RetryCondition = Literal["ConnectFailure", "Timeout", "ServerError", "RateLimited"]
Strategy = Literal["Weighted", "Priority", "LeastCost", "LowestLatency"]
Unit = Literal["User", "Session", "Request", "Workspace"]

PRECEDENCE_ORDER: dict[str, int] = {"Override": 0, "Normal": 1, "Default": 2}


class Fragment(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="kind"):
    """What every fragment says of the object it came from."""

    namespace: str
    name: str
    uid: str
    generation: int
    """The generation in force: the last accepted one, which may be older than the newest written."""

    @property
    def key(self) -> str:
        """``namespace/name``, unique within a kind."""
        return f"{self.namespace}/{self.name}"


class ModelRef(msgspec.Struct, frozen=True, rename="camel", order=True):
    """Names one model of one provider."""

    namespace: str
    provider: str
    model: str

    @property
    def key(self) -> str:
        """``namespace/provider/model``; only the last part may itself contain a slash."""
        return f"{self.namespace}/{self.provider}/{self.model}"


# ------------------------------------------------------------------------------------------------ ModelProvider


class SecretKey(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a secret value lives and which version of it this snapshot expects; never the value."""

    name: str
    key: str
    version: str = ""
    """Opaque; empty while the Secret or its key is missing. A router serves the route only with this very version."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts this value may be sent to; empty means any."""


class Header(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One header added to every upstream request: a literal value or a secret one."""

    name: str
    value: str | None = None
    secret: SecretKey | None = None


class HealthCheck(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How an endpoint is asked whether it is there."""

    path: str = "/models"
    """Below the endpoint's address."""
    period_seconds: int = 15
    timeout_seconds: int = 3
    failure_threshold: int = 3
    """Failed checks in a row that make it unhealthy."""
    success_threshold: int = 1
    """Good checks in a row that make it healthy again."""


class Endpoint(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One address of a provider."""

    name: str
    url: str
    backup: bool = False
    weight: int = 100
    region: str | None = None
    headers: tuple[Header, ...] = ()
    health_check: HealthCheck | None = None
    """``None``: it is judged by live traffic alone."""


class Price(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A model's prices from an instant on, in integer micro-dollars per million tokens (and per request)."""

    effective_at: int
    """Unix seconds."""
    input: int = 0
    output: int = 0
    cached_input: int | None = None
    """``None``: cached input costs the same as other input."""
    cache_write: int | None = None
    """``None``: writing to the provider's cache costs the same as other input."""
    request: int = 0
    """Micro-dollars per request."""


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One model a provider offers."""

    name: str
    upstream_name: str
    type: str = "Chat"
    display_name: str | None = None
    capabilities: tuple[str, ...] = ()
    """Sorted. Empty means undeclared: such a model satisfies no required capability."""
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    default_temperature: float | None = None
    default_max_output_tokens: int | None = None
    prices: tuple[Price, ...] = ()
    """Newest first."""
    compliance: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    state: str = "Active"


class Timeouts(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Seconds. ``None`` in a policy means: as the provider says."""

    connect_seconds: int | None = None
    first_byte_seconds: int | None = None
    idle_seconds: int | None = None
    total_seconds: int | None = None


class CircuitBreaker(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """When an endpoint's model counts as broken. ``None`` in a policy means: as the provider says."""

    window_seconds: int | None = None
    min_requests: int | None = None
    failure_percent: int | None = None
    consecutive_failures: int | None = None
    open_seconds: int | None = None
    max_open_seconds: int | None = None
    half_open_requests: int | None = None


class Simulated(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a simulated provider answers."""

    first_byte_milliseconds: int = 0
    per_token_milliseconds: int = 0
    error_percent: int = 0
    output_tokens: int = 16
    seed: int = 0


class ProviderFragment(Fragment, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag="ModelProvider"):
    """A provider, its endpoints and its models."""

    type: str
    endpoints: tuple[Endpoint, ...] = ()
    models: tuple[Model, ...] = ()
    credential: SecretKey | None = None
    timeouts: Timeouts = Timeouts()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    simulated: Simulated | None = None
    azure_api_version: str = "2024-10-21"
    visible_from: Literal["Same", "All", "Selector"] = "Same"
    visible_selector: str | None = None
    """Canonical JSON of the label selector, kept so that a kept-back fragment can be resolved against new labels."""
    visible_namespaces: tuple[str, ...] = ()
    """Resolved for ``Selector`` only: namespaces besides its own. Sorted."""
    withheld: str | None = None
    """Why no request may go to this provider now (for example ``SecretNotFound``); ``None`` when it may."""

    def secret_keys(self) -> Iterator[SecretKey]:
        """Every secret value that it refers to."""
        if self.credential is not None:
            yield self.credential
        for endpoint in self.endpoints:
            for header in endpoint.headers:
                if header.secret is not None:
                    yield header.secret


# ------------------------------------------------------------------------------------------------ RoutingPolicy


class HeaderMatch(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A condition on one request header: exactly one of the three holds a value."""

    name: str
    """Lower case."""
    exact: str | None = None
    prefix: str | None = None
    present: bool | None = None


class Match(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Conditions that must all hold. An empty tuple leaves its dimension unconstrained. Tuples are sorted."""

    models: tuple[str, ...] = ("auto",)
    workspaces: tuple[str, ...] = ()
    agent_types: tuple[str, ...] = ()
    request_types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    difficulties: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    certainty: Certainty | None = None
    """Whether the classifier could exclude all categories but one. ``None``: it does not matter."""
    user_tiers: tuple[str, ...] = ()
    min_characters: int | None = None
    max_characters: int | None = None
    headers: tuple[HeaderMatch, ...] = ()
    """At most one per header name; sorted by name."""

    @property
    def needs_classification(self) -> bool:
        """Whether any condition is on what the classifier says."""
        return bool(self.categories or self.difficulties or self.languages or self.certainty)


class Target(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One model a policy may choose."""

    name: str
    model: ModelRef
    weight: int = 100
    fallback_order: int | None = None
    unresolved: str | None = None
    """Why the reference cannot be followed now (a finding reason); ``None`` when it can."""


class Fallback(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A model to try after the targets, when the last attempt failed for one of ``causes``."""

    causes: tuple[Cause, ...]
    model: ModelRef
    unresolved: str | None = None


class Canary(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A share of the policy's traffic that goes to one model first."""

    model: ModelRef
    weight_percent: int
    unit: Unit = "User"
    spec_hash: str = ""
    """Identifies this canary among later edits of it: progress and draws belong to (uid, spec_hash)."""
    unresolved: str | None = None


class Affinity(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Keeps a unit on the model that served it last, while that model is healthy."""

    unit: Unit = "Session"
    ttl_seconds: int = 3600


class Constraints(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Hard constraints: intersected over all layers and never relaxed. Tuples are sorted; empty constrains nothing."""

    required_capabilities: tuple[str, ...] = ()
    compliance: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    max_cost_micro_usd: int | None = None
    """Of one request, by its upper bound."""
    max_price: int | None = None
    """Of input and output alike, in the unit of prices: micro-dollars per million tokens."""
    max_latency_milliseconds: int | None = None
    """To the end of a complete answer."""
    min_success_ppm: int | None = None
    """Parts per million of the requests."""


class Retries(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Further tries on one target after its first attempt, and the bounds on time."""

    attempts: int = 1
    per_attempt_seconds: int | None = None
    total_seconds: int | None = None
    retry_on: tuple[RetryCondition, ...] = ("ConnectFailure", "RateLimited", "ServerError", "Timeout")


class Cache(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Keeps answers, sealed, and gives them again to the same request."""

    ttl_seconds: int
    scope: Literal["Workspace"] = "Workspace"
    """Among whom answers are shared."""


class PolicyFragment(Fragment, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag="RoutingPolicy"):
    """A policy: whom it matches and where it sends them."""

    created_at: int
    """Unix seconds; breaks ties of priority in favour of the older."""
    platform: bool = False
    """Whether its namespace is a platform namespace, so that it may match any workspace."""
    precedence: Precedence = "Normal"
    priority: int = 0
    match: Match = Match()
    strategy: Strategy = "Weighted"
    targets: tuple[Target, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    canary: Canary | None = None
    affinity: Affinity | None = None
    constraints: Constraints = Constraints()
    retries: Retries = Retries()
    timeouts: Timeouts = Timeouts()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    cache: Cache | None = None
    """``None``: nothing is kept."""

    def order(self) -> tuple[int, int, int, str, str]:
        """Sort key of the order in which policies are consulted: the first that matches decides."""
        return (PRECEDENCE_ORDER[self.precedence], -self.priority, self.created_at, self.namespace, self.name)


# ------------------------------------------------------------------------------------------------ workspaces


class WorkspaceFragment(Fragment, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag="WorkspaceBudget"):
    """What a WorkspaceBudget with a winning claim imposes on every request of its workspace."""

    workspace: str
    allowed_models: tuple[ModelRef, ...] | None = None
    """``None`` allows every visible model; an empty tuple allows none. Sorted."""
    constraints: Constraints = Constraints()


class WorkspacePattern(msgspec.Struct, frozen=True, rename="camel"):
    """All workspaces whose name starts with ``prefix`` belong to ``namespace``."""

    prefix: str
    namespace: str


class TenancyFragment(Fragment, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag="Tenancy"):
    """Which namespace owns which workspace: at most one each. There is one such fragment in a snapshot."""

    owners: dict[str, str] = {}
    patterns: tuple[WorkspacePattern, ...] = ()
    """Consulted in this order (longest prefix first) for a workspace without an entry in ``owners``."""
    default_namespace: str | None = None
    """Owns whatever nobody claims; ``None``: such workspaces have no owner."""

    def owner_of(self, workspace: str) -> str | None:
        """The namespace whose tenant policies and private providers serve ``workspace``."""
        owner = self.owners.get(workspace)
        if owner is not None:
            return owner
        for pattern in self.patterns:
            if workspace.startswith(pattern.prefix):
                return pattern.namespace
        return self.default_namespace


AnyFragment = ProviderFragment | PolicyFragment | WorkspaceFragment | TenancyFragment
