"""Counts finished requests. What the metrics are is in :mod:`fairlead_router.record.metric_table`."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from fairlead_contract.decision import Attempt, DecisionRecord, Outcome
from fairlead_router.config.table import Table
from fairlead_router.record.fallbacks import fallback_cause
from fairlead_router.record.metric_table import Metric
from fairlead_router.record.tallies import (
    MAX_SERIES,
    CounterReading,
    CounterTally,
    GaugeReading,
    HistogramTally,
    Samples,
)
from fairlead_router.record.targets import OPERATION_NAMES, CalledTargets

NO_MODEL = "none"
"""Label value of a request that no model answered."""


class Metrics:
    """Counts finished requests; gauges are read when somebody asks."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, max_series: int = MAX_SERIES) -> None:
        self.registry = CollectorRegistry()
        self.targets = CalledTargets()

        def counter(metric: Metric) -> CounterTally:
            return CounterTally(metric.value, max_series=max_series)

        def histogram(metric: Metric) -> HistogramTally:
            return HistogramTally(metric.value, max_series=max_series)

        self._requests = counter(Metric.REQUESTS)
        self._duration = histogram(Metric.REQUEST_DURATION)
        self._matches = counter(Metric.RULE_MATCHES)
        self._overhead = histogram(Metric.OVERHEAD)
        self._attempts = counter(Metric.ATTEMPTS)
        self._fallbacks = counter(Metric.FALLBACKS)
        self._tokens = counter(Metric.TOKENS)
        self._cost = counter(Metric.COST)
        self._calls = histogram(Metric.GEN_AI_OPERATION_DURATION)
        self._call_tokens = histogram(Metric.GEN_AI_TOKEN_USAGE)
        self._served = histogram(Metric.GEN_AI_REQUEST_DURATION)
        self._first_token = histogram(Metric.GEN_AI_FIRST_TOKEN)
        self._output_token = histogram(Metric.GEN_AI_OUTPUT_TOKEN)
        self._tallies = [each for each in vars(self).values() if isinstance(each, CounterTally | HistogramTally)]
        for tally in self._tallies:
            self.registry.register(tally)
        self.counter_of(
            Metric.SERIES_OVERFLOWED, lambda: [((tally.name,), float(tally.overflows)) for tally in self._tallies]
        )

    def gauge(self, metric: Metric, read: Callable[[], float]) -> None:
        """Register a value that is read on each scrape."""
        self.gauge_of(metric, lambda: [((), float(read()))])

    def gauge_of(self, metric: Metric, read: Callable[[], Samples]) -> None:
        """Register values with labels that are read on each scrape."""
        self.registry.register(GaugeReading(metric.value, read))

    def counter(self, metric: Metric, read: Callable[[], float]) -> None:
        """Register a number that grows elsewhere and is read on each scrape."""
        self.counter_of(metric, lambda: [((), float(read()))])

    def counter_of(self, metric: Metric, read: Callable[[], Samples]) -> None:
        """Register numbers with labels that grow elsewhere and are read on each scrape."""
        self.registry.register(CounterReading(metric.value, read))

    def count_refusal(self, status: int) -> None:
        """A request that was refused before anything was decided about it."""
        self._requests.add((NO_MODEL, str(status)))

    def count(self, record: DecisionRecord, table: Table) -> None:
        """A finished request; ``table`` is the one that decided it."""
        model = record.chosen or NO_MODEL
        self._requests.add((model, str(record.status)))
        self._duration.observe((model,), record.duration_microseconds / 1e6)
        self._overhead.observe((), record.overhead_microseconds / 1e6)
        if record.policy is not None:
            self._matches.add((record.policy.key,))
        if not record.attempts:
            return
        if record.policy is not None and (cause := fallback_cause(record)) is not None:
            self._fallbacks.add((record.policy.key, cause))
        operation = OPERATION_NAMES.get(record.facts.request_type, "other")
        for attempt in record.attempts:
            self._count_attempt(attempt, operation, table)
        self._count_served(record, operation, table)

    def _count_attempt(self, attempt: Attempt, operation: str, table: Table) -> None:
        model, usage = attempt.model, attempt.usage
        self._attempts.add((model, attempt.outcome.value))
        called = self.targets.of(table, model, attempt.endpoint)
        target = (operation, called.provider, called.model, called.address, called.port)
        self._calls.observe((*target, attempt.error or ""), attempt.duration_microseconds / 1e6)
        if usage is None:
            return
        self._tokens.add((model, "input"), usage.input_tokens)
        self._tokens.add((model, "output"), usage.output_tokens)
        self._cost.add((model,), attempt.cost_micro_usd / 1e6)
        if not usage.estimated:  # the convention: what cannot be counted is not reported
            self._call_tokens.observe((*target, "input"), usage.input_tokens)
            self._call_tokens.observe((*target, "output"), usage.output_tokens)

    def _count_served(self, record: DecisionRecord, operation: str, table: Table) -> None:
        last = record.attempts[-1]
        called = self.targets.of(table, last.model, last.endpoint)
        served = (operation, called.provider, called.model)
        self._served.observe((*served, record.error or ""), record.duration_microseconds / 1e6)
        first = record.committed_microseconds
        if first is None or not record.facts.stream or record.outcome is not Outcome.SUCCEEDED:
            return
        self._first_token.observe(served, first / 1e6)
        if record.usage.output_tokens > 1 and not record.usage.estimated:
            rest = max(0, record.duration_microseconds - first)
            self._output_token.observe(served, rest / 1e6 / (record.usage.output_tokens - 1))

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
