"""Metrics, and the bounds of their labels."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_contract.decision import Attempt, DecisionRecord, Outcome, Usage
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.record.health import health_score, health_scores
from fairlead_router.record.metric_table import Metric, MetricType
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.tallies import OVERFLOW
from fairlead_router.select.view import BreakerState, RecordedHealth
from tests.router.builders import a_model, a_provider, a_record, a_table, key, policy_used, some_facts


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


TABLE = a_table(a_provider(models=[a_model(upstream_name="gpt-4")]))
SMALL = key()


def count(metrics: Metrics, record: DecisionRecord) -> None:
    metrics.count(record, TABLE)


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
    count(metrics, a_record(chosen="m", duration_microseconds=2_000_000, overhead_microseconds=1000))
    assert value(metrics, "model_router_requests_total", model="m", status="200") == 1
    assert value(metrics, "model_router_request_duration_seconds_sum", model="m") == 2
    assert value(metrics, "fairlead_overhead_seconds_sum") == 0.001


def test_every_attempt_counts_with_its_tokens_and_its_cost() -> None:
    metrics = Metrics()
    failed = attempt(model="a", outcome=Outcome.FAILED)
    served = attempt(usage=Usage(input_tokens=5, output_tokens=7), cost_micro_usd=1_500_000)
    count(metrics, a_record(chosen="m", attempts=(failed, failed, served)))
    assert value(metrics, "fairlead_attempts_total", model="a", outcome="Failed") == 2
    assert value(metrics, "fairlead_attempts_total", model="m", outcome="Succeeded") == 1
    assert value(metrics, "fairlead_tokens_total", model="m", direction="input") == 5
    assert value(metrics, "fairlead_tokens_total", model="m", direction="output") == 7
    assert value(metrics, "fairlead_cost_usd_total", model="m") == 1.5
    assert value(metrics, "fairlead_tokens_total", model="a", direction="input") is None


def test_a_policy_counts_the_requests_it_decided() -> None:
    metrics = Metrics()
    for record in (a_record(policy=policy_used()), a_record(policy=policy_used()), a_record()):
        count(metrics, record)
    assert value(metrics, "model_router_routing_rule_matches_total", policy="team-a/main") == 2


def test_a_policy_counts_the_requests_that_went_on_to_another_model_and_why() -> None:
    metrics = Metrics()
    failed = attempt(model="a", outcome=Outcome.TIMED_OUT, cause="Timeout")
    for policy in (policy_used(), None):
        count(metrics, a_record(chosen="m", plan=("a", "m"), attempts=(failed, attempt()), policy=policy))
    count(metrics, a_record(chosen="a", plan=("a",), attempts=(failed,), policy=policy_used()))
    assert value(metrics, "fairlead_fallbacks_total", policy="team-a/main", cause="Timeout") == 1
    assert sum(number for (name, _), number in samples(metrics).items() if name == "fairlead_fallbacks_total") == 1


def test_a_gauge_is_read_whenever_somebody_asks() -> None:
    metrics, now = Metrics(), [1.0]
    metrics.gauge(Metric.IN_FLIGHT, lambda: now[0])
    assert value(metrics, "fairlead_requests_in_flight") == 1
    now[0] = 2.0
    assert value(metrics, "fairlead_requests_in_flight") == 2


@pytest.mark.parametrize(
    "field", ["workspace", "requested_model", "user_hash", "agent_type", "subject", "session_hash"]
)
def test_nothing_that_a_client_says_makes_a_new_series(field: str) -> None:
    metrics = Metrics()
    count(metrics, a_record(chosen="m", attempts=(attempt(),), policy=policy_used()))
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
        count(metrics, record)
    assert samples(metrics).keys() == before


# ------------------------------------------------------------------------------------------------ OpenTelemetry's names

TARGET = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "gpt-4",
    "server_address": "openai.example",
    "server_port": "443",
}
SERVED = {name: value for name, value in TARGET.items() if name.startswith("gen_ai")}


def a_call(**fields: Any) -> Attempt:
    return attempt(**({"model": SMALL, "endpoint": "primary", "duration_microseconds": 700_000} | fields))


def test_each_call_is_timed_under_opentelemetrys_names_with_its_error() -> None:
    metrics = Metrics()
    failed = a_call(outcome=Outcome.FAILED, error="server_error")
    count(metrics, a_record(chosen=SMALL, attempts=(failed, a_call())))
    name = "gen_ai_client_operation_duration_seconds_count"
    assert value(metrics, name, **TARGET, error_type="server_error") == 1
    assert value(metrics, name, **TARGET, error_type="") == 1
    bucket = "gen_ai_client_operation_duration_seconds_bucket"
    assert value(metrics, bucket, **TARGET, error_type="", le="0.64") == 0
    assert value(metrics, bucket, **TARGET, error_type="", le="1.28") == 1


def test_tokens_are_observed_by_type_and_only_if_the_provider_counted_them() -> None:
    metrics = Metrics()
    counted = a_call(usage=Usage(input_tokens=5, output_tokens=7))
    guessed = a_call(usage=Usage(input_tokens=50, output_tokens=70, estimated=True))
    count(metrics, a_record(chosen=SMALL, attempts=(guessed, counted)))
    assert value(metrics, "gen_ai_client_token_usage_sum", **TARGET, gen_ai_token_type="input") == 5
    assert value(metrics, "gen_ai_client_token_usage_sum", **TARGET, gen_ai_token_type="output") == 7
    assert value(metrics, "gen_ai_client_token_usage_bucket", **TARGET, gen_ai_token_type="input", le="4.0") == 0
    assert value(metrics, "gen_ai_client_token_usage_bucket", **TARGET, gen_ai_token_type="input", le="16.0") == 1


def test_a_stream_is_timed_to_its_first_token_and_for_each_after_it() -> None:
    metrics = Metrics()
    streamed = a_record(
        chosen=SMALL,
        attempts=(a_call(),),
        facts=some_facts(stream=True),
        committed_microseconds=200_000,
        duration_microseconds=1_200_000,
        usage=Usage(input_tokens=5, output_tokens=11),
    )
    count(metrics, streamed)
    assert value(metrics, "gen_ai_server_time_to_first_token_seconds_sum", **SERVED) == pytest.approx(0.2)
    assert value(metrics, "gen_ai_server_time_per_output_token_seconds_sum", **SERVED) == pytest.approx(0.1)
    assert value(metrics, "gen_ai_server_request_duration_seconds_sum", **SERVED, error_type="") == pytest.approx(1.2)


def test_what_was_not_streamed_or_was_cut_has_no_time_to_its_first_token() -> None:
    metrics = Metrics()
    whole = a_record(chosen=SMALL, attempts=(a_call(),), committed_microseconds=5)
    cut = a_record(
        chosen=SMALL,
        attempts=(a_call(),),
        facts=some_facts(stream=True),
        committed_microseconds=5,
        outcome=Outcome.TRUNCATED,
    )
    for record in (whole, cut):
        count(metrics, record)
    assert value(metrics, "gen_ai_server_time_to_first_token_seconds_count", **SERVED) is None


# ------------------------------------------------------------------------------------------------ health


@pytest.mark.parametrize(
    ("state", "successes", "failures", "score"),
    [
        (BreakerState.CLOSED, 0, 0, 1.0),
        (BreakerState.CLOSED, 3, 1, 0.75),
        (BreakerState.HALF_OPEN, 0, 0, 0.5),
        (BreakerState.HALF_OPEN, 1, 4, 0.2),
        (BreakerState.OPEN, 9, 1, 0.0),
    ],
)
def test_a_health_score_follows_the_breaker_and_the_calls_of_late(
    state: BreakerState, successes: int, failures: int, score: float
) -> None:
    assert health_score(state, successes, failures) == score


def test_every_declared_endpoint_has_a_health_score_and_no_other() -> None:
    breakers = BreakerRegistry(lambda: 0.5)
    for _ in range(5):
        breakers.of(SMALL, "primary").failed(100.0, BreakerRules())
    breakers.of("team-a/openai/gone", "primary").failed(100.0, BreakerRules())
    assert dict(health_scores(TABLE, breakers, RecordedHealth(), 100.0)) == {(SMALL, "primary"): 0.0}


def test_an_endpoint_that_active_checks_find_unhealthy_has_no_health_left() -> None:
    checks = RecordedHealth(frozenset({("team-a/openai", "primary")}))
    assert dict(health_scores(TABLE, BreakerRegistry(lambda: 0.5), checks, 100.0)) == {(SMALL, "primary"): 0.0}
    assert dict(health_scores(TABLE, BreakerRegistry(lambda: 0.5), RecordedHealth(), 100.0)) == {
        (SMALL, "primary"): 1.0
    }


# ------------------------------------------------------------------------------------------------ hostile input

HOSTILE = ['"} 1\nfake_metric{x="', "\\", "a" * 10_000, "\u0000\u202e", "\ud7ff\U0010ffff", "# HELP x y"]


def test_hostile_names_neither_break_the_format_nor_grow_it_without_end() -> None:
    metrics = Metrics(max_series=10)
    for number in range(500):
        name = f"{HOSTILE[number % len(HOSTILE)]}{number}"
        usage = Usage(input_tokens=1, output_tokens=1)
        calls = (attempt(model=name, endpoint=name, error=name, usage=usage),)
        count(metrics, a_record(chosen=name, error=name, attempts=calls, policy=policy_used(name=name)))
    found = samples(metrics)
    assert not any(name.startswith("fake") for name, _ in found)
    assert value(metrics, "model_router_requests_total", model=OVERFLOW, status=OVERFLOW) == 490
    assert value(metrics, "fairlead_metric_overflows_total", metric="model_router_requests_total") == 490
    for metric in Metric:
        spec = metric.value
        suffix = "_count" if spec.type is MetricType.HISTOGRAM else ""
        series = [labels for name, labels in found if name == spec.exposed_name + suffix]
        assert len(series) <= max(11, len(Metric)), spec.name
