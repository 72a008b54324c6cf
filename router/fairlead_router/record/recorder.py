"""Makes the record of a finished request, and hands it to everything that keeps something of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from fairlead_contract.decision import (
    BudgetUse,
    CacheUse,
    Classification,
    DecisionRecord,
    Facts,
    Outcome,
    PolicyUsed,
    Stages,
    Usage,
)
from fairlead_router.config.table import Table
from fairlead_router.dispatch.job import Job
from fairlead_router.record.lines import LineSink
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.sink import RecordSink
from fairlead_router.select.selection import Selection
from fairlead_router.trace.context import TraceContext
from fairlead_router.trace.telemetry import Telemetry

_MAX_WAITING = 256
_LEVELS = {Outcome.TRUNCATED: "warning"}
_MESSAGES = {
    Outcome.SUCCEEDED: "Request routed successfully",
    Outcome.TRUNCATED: "Answer cut short by the provider",
    Outcome.CANCELLED: "Client hung up",
}


class AccessLine(msgspec.Struct, rename="camel", omit_defaults=True):
    """One line a request. Times in milliseconds."""

    timestamp: str
    level: str
    service: str
    message: str
    request_id: str
    status: int
    latency: float
    method: str
    path: str
    workspace: str | None = None
    policy: str | None = None
    model_id: str | None = None
    outcome: str | None = None
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    overhead: float = 0.0
    error: str | None = None
    trace_id: str | None = None


class Finished(msgspec.Struct):
    """Everything known of a request when it is over."""

    id: str
    method: str
    path: str
    arrived_at: float
    """Unix seconds."""
    duration_seconds: float
    status: int
    outcome: Outcome
    error: str | None
    table: Table
    """The one that decided."""
    facts: Facts | None = None
    classification: Classification | None = None
    client_request_id: str | None = None
    policy: PolicyUsed | None = None
    selection: Selection | None = None
    job: Job | None = None
    stages: Stages | None = None
    trace: TraceContext | None = None
    committed_seconds: float | None = None
    budgets: tuple[BudgetUse, ...] = ()
    cache: CacheUse | None = None
    idempotent_replay: bool = False


class Recorder:
    """Feeds sink, access log, metrics and telemetry, off the path of the request; whoever reads them asks here.

    ``defer`` is given :meth:`flush` to be called a little later; many requests at once are encoded and counted in a
    fraction of the time that they take one by one. Without it everything happens at once.
    """

    def __init__(
        self,
        sink: RecordSink,
        metrics: Metrics,
        access: LineSink | None,
        *,
        router: str,
        defer: Callable[[Callable[[], None]], object] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._sink = sink
        self._metrics = metrics
        self._access = access
        self._router = router
        self._defer = defer
        self._telemetry = telemetry
        self._waiting: list[tuple[Finished, DecisionRecord | None]] = []

    def finish(self, finished: Finished) -> None:
        """Keep, count and log; ``finished`` is the recorder's from now on.

        Requests refused before their facts were known have a line and a count, but no record.
        """
        record = None if finished.facts is None else self._record(finished, finished.facts)
        # The job holds the request's body, which must not wait here.
        finished.job = finished.selection = None
        self._waiting.append((finished, record))
        if self._defer is None or len(self._waiting) >= _MAX_WAITING:
            self.flush()
        elif len(self._waiting) == 1:
            self._defer(self.flush)

    def flush(self) -> None:
        """Record what has ended so far."""
        waiting, self._waiting = self._waiting, []
        for finished, record in waiting:
            if record is None:
                self._metrics.count_refusal(finished.status)
            else:
                self._sink.put(record)
                self._metrics.count(record, finished.table)
                if self._telemetry is not None:
                    self._telemetry.note(record, finished.trace, finished.table)
            if self._access is not None:
                self._access.put(msgspec.json.encode(_access_line(finished, record)) + b"\n")

    def find(self, decision_id: str) -> DecisionRecord | None:
        """The record of a request that has ended, while it is kept."""
        self.flush()
        return self._sink.get(decision_id)

    def latest(self, count: int) -> list[str]:
        """Ids of the newest records, newest first."""
        self.flush()
        return self._sink.latest(count)

    def render_metrics(self) -> bytes:
        """All metrics, every request that has ended among them, in the text exposition format."""
        self.flush()
        return self._metrics.render()

    def _record(self, finished: Finished, facts: Facts) -> DecisionRecord:
        selection, job = finished.selection, finished.job
        waited = 0.0 if job is None else job.waited
        return DecisionRecord(
            id=finished.id,
            time=round(finished.arrived_at * 1_000_000),
            client_request_id=finished.client_request_id,
            trace_id=None if finished.trace is None else finished.trace.trace_id,
            span_id=None if finished.trace is None else finished.trace.span_id,
            router=self._router,
            snapshot=finished.table.used,
            facts=facts,
            policy=finished.policy,
            strategy=None if selection is None else selection.strategy,
            canary=None if selection is None else selection.canary,
            affinity=None if selection is None else selection.affinity,
            classification=finished.classification,
            candidates=() if selection is None else selection.candidates,
            plan=() if selection is None else tuple(entry.key for entry in selection.plan),
            chosen=None if job is None or job.chosen is None else job.chosen.key,
            propensity=None if selection is None else selection.propensity,
            panic=job.panic if job is not None else selection is not None and selection.panic,
            draws=() if selection is None else (*selection.draws, *(() if job is None else job.draws)),
            state=() if selection is None else (*selection.state, *(() if job is None else job.state)),
            budgets=finished.budgets,
            attempts=() if job is None else tuple(job.attempts),
            outcome=finished.outcome,
            status=finished.status,
            error=finished.error,
            committed_microseconds=None
            if finished.committed_seconds is None
            else round(finished.committed_seconds * 1_000_000),
            duration_microseconds=round(finished.duration_seconds * 1_000_000),
            stages=finished.stages,
            overhead_microseconds=max(0, round((finished.duration_seconds - waited) * 1_000_000)),
            usage=Usage() if job is None else job.usage,
            cost_micro_usd=0 if job is None else job.cost_micro_usd,
            cache=finished.cache,
            idempotent_replay=finished.idempotent_replay,
            outcome_key=finished.id,
        )


def _timestamp(unix_seconds: float) -> str:
    seconds, milliseconds = divmod(int(unix_seconds * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03d}+00:00"


@lru_cache(maxsize=16)
def _second(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _access_line(finished: Finished, record: DecisionRecord | None) -> AccessLine:
    line = AccessLine(
        timestamp=_timestamp(finished.arrived_at),
        level=_LEVELS.get(finished.outcome, "error" if finished.status >= 500 else "info"),
        service="model-router",
        message=_MESSAGES.get(finished.outcome, "Request not served"),
        request_id=finished.id,
        status=finished.status,
        latency=round(finished.duration_seconds * 1000, 3),
        method=finished.method,
        path=finished.path,
        outcome=finished.outcome.value,
        error=finished.error,
        trace_id=None if finished.trace is None else finished.trace.trace_id,
    )
    if record is not None:
        line.workspace = record.facts.workspace
        line.policy = None if record.policy is None else record.policy.key
        line.model_id = record.chosen
        line.attempts = len(record.attempts)
        line.input_tokens = record.usage.input_tokens
        line.output_tokens = record.usage.output_tokens
        line.cost_micro_usd = record.cost_micro_usd
        line.overhead = round(record.overhead_microseconds / 1000, 3)
    return line
