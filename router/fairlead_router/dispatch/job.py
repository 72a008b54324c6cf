"""One request on its way through dispatch: what is known at the start, and what accumulates for the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from fairlead_contract.decision import Attempt, Draw, Outcome, StateRead, Usage
from fairlead_contract.fragments import CircuitBreaker, Price, Retries, Timeouts
from fairlead_router.account.cost import cost
from fairlead_router.account.ledger import Account
from fairlead_router.config.table import EndpointEntry, ModelEntry, PolicyEntry
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.select.selection import Selection
from fairlead_router.trace.context import TraceContext

_FIRST_BYTE_SECONDS, _CONNECT_SECONDS, _IDLE_SECONDS, _TOTAL_SECONDS = 20.0, 2.0, 30.0, 120.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Timeouts of one attempt, in seconds."""

    connect: float
    first_byte: float
    idle: float
    total: float

    @classmethod
    @lru_cache(maxsize=1024)  # every request asks for the same few
    def of(cls, provider: Timeouts, policy: Timeouts) -> Bounds:
        """The policy's word, else the provider's, else the API's default."""

        def pick(name: str, default: float) -> float:
            for source in (policy, provider):
                value: int | None = getattr(source, name)
                if value is not None:
                    return float(value)
            return default

        return cls(
            pick("connect_seconds", _CONNECT_SECONDS),
            pick("first_byte_seconds", _FIRST_BYTE_SECONDS),
            pick("idle_seconds", _IDLE_SECONDS),
            pick("total_seconds", _TOTAL_SECONDS),
        )


@dataclass(slots=True)
class Job:
    """Mutable: the one place where a request's attempts, waits and costs add up."""

    decision_id: str
    request: ModelRequest
    selection: Selection
    policy: PolicyEntry | None
    account: Account
    started: float
    """Monotonic seconds."""
    waited: float = 0.0
    """Seconds spent waiting for providers, for backoff and for the client: what is not our overhead."""
    attempts: list[Attempt] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    """What was drawn after the selection: endpoints."""
    state: list[StateRead] = field(default_factory=list)
    """What was read of shared state for these draws."""
    cost_micro_usd: int = 0
    usage: Usage = field(default_factory=Usage)
    chosen: ModelEntry | None = None
    trace: TraceContext | None = None
    panic: bool = False
    """Every breaker is passed: all are open, or their probes are out."""

    def __post_init__(self) -> None:
        self.panic = self.selection.panic

    @property
    def retries(self) -> Retries:
        """The policy's, or the API's defaults for a model called by name."""
        return Retries() if self.policy is None else self.policy.fragment.retries

    @property
    def timeouts(self) -> Timeouts:
        """The policy's; those it leaves open are the provider's."""
        return Timeouts() if self.policy is None else self.policy.fragment.timeouts

    @property
    def circuit_breaker(self) -> CircuitBreaker:
        """The policy's; what it leaves open is the provider's."""
        return CircuitBreaker() if self.policy is None else self.policy.fragment.circuit_breaker


@dataclass(slots=True)
class Running:
    """One attempt while it runs."""

    job: Job
    entry: ModelEntry
    endpoint: EndpointEntry
    bounds: Bounds
    price: Price | None
    reserved_micro_usd: int
    started: float
    first_byte: float | None = None
    first_event: float | None = None
    """Of a stream: when the first event that says something had arrived."""

    def finish(
        self,
        outcome: Outcome,
        now: float,
        *,
        status: int | None = None,
        cause: str | None = None,
        error: str | None = None,
        retry_after_seconds: float | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Write the attempt down, and charge ``usage`` to the job."""
        charged = 0
        if usage is not None:
            charged = cost(self.price, usage)
            self.job.cost_micro_usd += charged
            self.job.usage = usage
        self.job.chosen = self.entry
        self.job.attempts.append(
            Attempt(
                model=self.entry.key,
                endpoint=self.endpoint.name,
                outcome=outcome,
                started_microseconds=_microseconds(self.started - self.job.started),
                duration_microseconds=_microseconds(now - self.started),
                first_byte_microseconds=None
                if self.first_byte is None
                else _microseconds(self.first_byte - self.started),
                status=status,
                cause=cause,
                error=error,
                retry_after_seconds=retry_after_seconds,
                reserved_micro_usd=self.reserved_micro_usd,
                usage=usage,
                cost_micro_usd=charged,
                price_effective_at=None if self.price is None else self.price.effective_at,
            )
        )


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
