"""Metrics, and the bounds of their labels."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_contract.decision import Attempt, Outcome, Usage
from fairlead_router.record.metrics import Metrics
from tests.router.builders import a_record, policy_used, some_facts


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def attempt(**fields: Any) -> Attempt:
    given: dict[str, Any] = {
        "model": "m",
        "endpoint": "e",
        "outcome": Outcome.SUCCEEDED,
        "started_microseconds": 0,
        "duration_microseconds": 1,
    }
    return Attempt(**(given | fields))


def test_a_request_counts_once_for_the_model_that_answered_with_its_time() -> None:
    metrics = Metrics()
    metrics.count(a_record(chosen="m", duration_microseconds=2_000_000, overhead_microseconds=1000))
    assert value(metrics, "model_router_requests_total", model="m", status="200") == 1
    assert value(metrics, "model_router_request_duration_seconds_sum", model="m") == 2
    assert value(metrics, "fairlead_overhead_seconds_sum") == 0.001


def test_every_attempt_counts_with_its_tokens_and_its_cost() -> None:
    metrics = Metrics()
    failed = attempt(model="a", outcome=Outcome.FAILED)
    served = attempt(usage=Usage(input_tokens=5, output_tokens=7), cost_micro_usd=1_500_000)
    metrics.count(a_record(chosen="m", attempts=(failed, failed, served)))
    assert value(metrics, "fairlead_attempts_total", model="a", outcome="Failed") == 2
    assert value(metrics, "fairlead_attempts_total", model="m", outcome="Succeeded") == 1
    assert value(metrics, "fairlead_tokens_total", model="m", direction="input") == 5
    assert value(metrics, "fairlead_tokens_total", model="m", direction="output") == 7
    assert value(metrics, "fairlead_cost_usd_total", model="m") == 1.5
    assert value(metrics, "fairlead_tokens_total", model="a", direction="input") is None


def test_a_policy_counts_the_requests_it_decided() -> None:
    metrics = Metrics()
    for record in (a_record(policy=policy_used()), a_record(policy=policy_used()), a_record()):
        metrics.count(record)
    assert value(metrics, "model_router_routing_rule_matches_total", policy="team-a/main") == 2


def test_a_gauge_is_read_whenever_somebody_asks() -> None:
    metrics, now = Metrics(), [1.0]
    metrics.gauge("fairlead_something", "Something.", lambda: now[0])
    assert value(metrics, "fairlead_something") == 1
    now[0] = 2.0
    assert value(metrics, "fairlead_something") == 2


@pytest.mark.parametrize(
    "field", ["workspace", "requested_model", "user_hash", "agent_type", "subject", "session_hash"]
)
def test_nothing_that_a_client_says_makes_a_new_series(field: str) -> None:
    metrics = Metrics()
    metrics.count(a_record(chosen="m", attempts=(attempt(),), policy=policy_used()))
    before = samples(metrics).keys()
    for number in range(20):
        record = a_record(
            id=f"d-{number}",
            client_request_id=f"r-{number}",
            facts=some_facts(**{field: f"invented-{number}"}),
            chosen="m",
            attempts=(attempt(endpoint="e"),),
            policy=policy_used(),
        )
        metrics.count(record)
    assert samples(metrics).keys() == before
