"""Every metric of the router. Labels come from declared objects and fixed words only, never from a client."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from fairlead_contract.decision import DecisionRecord
from fairlead_router.record.tallies import CounterTally, HistogramTally

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_OVERHEADS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)

NO_MODEL = "none"
"""Label value of a request that no model answered."""


class Metrics:
    """Counts finished requests; gauges are read when somebody asks."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = CounterTally(
            "model_router_requests",
            "Requests answered, by the model that answered and the HTTP status.",
            ["model", "status"],
        )
        self._duration = HistogramTally(
            "model_router_request_duration_seconds",
            "Time from a request's arrival to the end of its answer.",
            ["model"],
            _DURATIONS,
        )
        self._matches = CounterTally(
            "model_router_routing_rule_matches", "Requests decided by a RoutingPolicy.", ["policy"]
        )
        self._overhead = HistogramTally(
            "fairlead_overhead_seconds", "Time a request spent in the router itself.", [], _OVERHEADS
        )
        self._attempts = CounterTally(
            "fairlead_attempts", "Calls to providers, by how they ended.", ["model", "outcome"]
        )
        self._tokens = CounterTally("fairlead_tokens", "Billable tokens.", ["model", "direction"])
        self._cost = CounterTally("fairlead_cost_usd", "Cost of all attempts, in dollars.", ["model"])
        for counter in (self._requests, self._matches, self._attempts, self._tokens, self._cost):
            self.registry.register(counter)
        for histogram in (self._duration, self._overhead):
            self.registry.register(histogram)

    def gauge(self, name: str, help_: str, read: Callable[[], float]) -> None:
        """Register a value that is read on each scrape."""
        Gauge(name, help_, registry=self.registry).set_function(read)

    def count_refusal(self, status: int) -> None:
        """A request that was refused before anything was decided about it."""
        self._requests.add((NO_MODEL, str(status)))

    def count(self, record: DecisionRecord) -> None:
        """A finished request."""
        model = record.chosen or NO_MODEL
        self._requests.add((model, str(record.status)))
        self._duration.observe((model,), record.duration_microseconds / 1e6)
        self._overhead.observe((), record.overhead_microseconds / 1e6)
        if record.policy is not None:
            self._matches.add((record.policy.key,))
        for attempt in record.attempts:
            self._attempts.add((attempt.model, attempt.outcome.value))
            if attempt.usage is not None:
                self._tokens.add((attempt.model, "input"), attempt.usage.input_tokens)
                self._tokens.add((attempt.model, "output"), attempt.usage.output_tokens)
                self._cost.add((attempt.model,), attempt.cost_micro_usd / 1e6)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
