"""The record of a finished request, its access line and its counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from fairlead_contract.decision import (
    Attempt,
    DecisionRecord,
    ExperimentAssignment,
    Outcome,
    Prediction,
    Stages,
    Usage,
    decode_record,
    encode_record,
)
from fairlead_contract.fragments import Affinity, Canary
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dispatch.job import Job
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.recorder import Finished, Recorder
from fairlead_router.record.sink import RecordSink
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.selection import Selection, select
from fairlead_router.trace.context import TraceContext
from tests.router.builders import (
    a_model,
    a_policy,
    a_provider,
    a_record,
    a_table,
    a_target,
    an_account,
    key,
    linked,
    policy_used,
    ref,
    some_facts,
    view,
)
from tests.router.select.select_worlds import World, worlds

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/decision-record.v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
REQUEST = parse_chat_request(b'{"model":"auto","messages":[{"content":"a secret prompt"}]}')


TABLE = a_table(a_provider(models=[a_model("a"), a_model("b")]))
TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True, recorded=True)


class Lines:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)


class Desk:
    """A recorder with everything it feeds."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.sink = RecordSink(capacity=10)
        self.lines = Lines()
        self.recorder = Recorder(self.sink, self.metrics, self.lines, router="router-1")

    def finish(self, **fields: Any) -> DecisionRecord | None:
        ended = finished(**fields)
        self.recorder.finish(ended)
        return self.sink.get(ended.id)

    @property
    def line(self) -> Any:
        return json.loads(self.lines.lines[-1])


def selection(**state: Any) -> Selection:
    policy = a_policy(
        targets=(a_target("a", "a"), a_target("b", "b")), canary=Canary(ref("a"), 20), affinity=Affinity()
    )
    entry = linked(policy, a_provider(models=[a_model("a"), a_model("b")]))
    return select(entry, some_facts(), None, view(**state), KeyedDraws(b"k"), decision_id="d-1", now=0.0)


def a_job(**state: Any) -> Job:
    job = Job("d-1", REQUEST, selection(**state), None, an_account(), 0.0, waited=0.4)
    job.attempts.append(
        Attempt(
            model=key("a"),
            endpoint="primary",
            outcome=Outcome.SUCCEEDED,
            started_microseconds=10,
            duration_microseconds=400_000,
            first_byte_microseconds=100,
            status=200,
            usage=Usage(input_tokens=5, output_tokens=7),
            cost_micro_usd=42,
            price_effective_at=0,
        )
    )
    job.chosen = job.selection.plan[0]
    job.usage, job.cost_micro_usd = Usage(input_tokens=5, output_tokens=7), 42
    return job


def finished(**fields: Any) -> Finished:
    given: dict[str, Any] = {
        "id": "d-1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "arrived_at": 1_700_000_000.25,
        "duration_seconds": 0.5,
        "status": 200,
        "outcome": Outcome.SUCCEEDED,
        "error": None,
        "table": TABLE,
    }
    return Finished(**(given | fields))


def test_a_served_request_leaves_a_record_a_line_and_counts() -> None:
    desk, job = Desk(), a_job()
    record = desk.finish(
        facts=some_facts(), policy=policy_used(), selection=job.selection, job=job, committed_seconds=0.1
    )
    assert record is not None
    assert desk.sink.get("d-1") == record
    assert (record.time, record.duration_microseconds, record.committed_microseconds) == (
        1_700_000_000_250_000,
        500_000,
        100_000,
    )
    assert record.overhead_microseconds == 100_000
    assert (record.router, record.outcome_key, record.chosen) == ("router-1", "d-1", job.selection.plan[0].key)
    assert (record.propensity, record.draws) == (job.selection.propensity, job.selection.draws)
    assert desk.line == {
        "timestamp": "2023-11-14T22:13:20.250+00:00",
        "level": "info",
        "service": "model-router",
        "message": "Request routed successfully",
        "requestId": "d-1",
        "status": 200,
        "latency": 500.0,
        "method": "POST",
        "path": "/v1/chat/completions",
        "workspace": "ws",
        "policy": "team-a/main",
        "modelId": record.chosen,
        "outcome": "Succeeded",
        "attempts": 1,
        "inputTokens": 5,
        "outputTokens": 7,
        "costMicroUsd": 42,
        "overhead": 100.0,
    }
    assert b'model_router_routing_rule_matches_total{policy="team-a/main"} 1.0' in desk.metrics.render()


def test_a_request_refused_before_its_facts_were_known_leaves_a_line_and_a_count_but_no_record() -> None:
    desk = Desk()
    assert desk.finish(status=401, outcome=Outcome.REFUSED, error="invalid_api_key") is None
    assert desk.sink.latest(10) == []
    assert (desk.line["status"], desk.line["error"], desk.line["message"]) == (
        401,
        "invalid_api_key",
        "Request not served",
    )
    assert "workspace" not in desk.line
    assert b'model_router_requests_total{model="none",status="401"} 1.0' in desk.metrics.render()


@pytest.mark.parametrize(
    ("status", "level"), [(200, "info"), (429, "info"), (499, "info"), (500, "error"), (503, "error")]
)
def test_only_what_is_the_routers_or_a_providers_fault_is_logged_as_an_error(status: int, level: str) -> None:
    desk = Desk()
    desk.finish(status=status)
    assert desk.line["level"] == level


def test_record_and_line_name_the_trace_that_the_request_belongs_to() -> None:
    desk = Desk()
    stages = Stages(received_microseconds=1, matched_microseconds=2, selected_microseconds=3)
    record = desk.finish(facts=some_facts(), trace=TRACE, stages=stages)
    assert record is not None
    assert (record.trace_id, record.span_id, record.stages) == (TRACE.trace_id, TRACE.span_id, stages)
    assert desk.line["traceId"] == TRACE.trace_id
    assert valid(record)


def test_one_request_is_one_line_however_often_it_was_tried() -> None:
    desk, job = Desk(), a_job()
    job.attempts.extend(job.attempts * 5)
    desk.finish(facts=some_facts(), selection=job.selection, job=job, outcome=Outcome.FAILED, status=502)
    assert len(desk.lines.lines) == 1


def test_without_an_access_log_no_line_is_written() -> None:
    sink = RecordSink(capacity=1)
    recorder = Recorder(sink, Metrics(), None, router="r")
    recorder.finish(finished(facts=some_facts()))
    assert sink.latest(1) == [finished().id]


def test_what_has_ended_is_recorded_together_a_little_later() -> None:
    sink, lines, deferred = RecordSink(capacity=1000), Lines(), list[Callable[[], None]]()
    recorder = Recorder(sink, Metrics(), lines, router="r", defer=deferred.append)
    for number in range(3):
        recorder.finish(finished(facts=some_facts(), id=f"d-{number}"))
    assert (lines.lines, sink.latest(9), len(deferred)) == ([], [], 1)
    deferred.pop()()
    assert (len(lines.lines), sink.latest(9)) == (3, ["d-2", "d-1", "d-0"])
    recorder.finish(finished(facts=some_facts(), id="d-3"))
    assert len(deferred) == 1


def test_whoever_reads_sees_what_has_just_ended() -> None:
    recorder = Recorder(RecordSink(capacity=9), Metrics(), None, router="r", defer=lambda flush: None)
    recorder.finish(finished(facts=some_facts(), id="d-0"))
    assert recorder.find("d-0") is not None
    recorder.finish(finished(facts=some_facts(), id="d-1"))
    assert recorder.latest(1) == ["d-1"]
    recorder.finish(finished(facts=some_facts(), id="d-2"))
    assert b'model_router_requests_total{model="none",status="200"} 3.0' in recorder.render_metrics()


def test_what_waits_to_be_recorded_is_bounded() -> None:
    sink, deferred = RecordSink(capacity=1000), list[Callable[[], None]]()
    recorder = Recorder(sink, Metrics(), None, router="r", defer=deferred.append)
    for number in range(256):
        recorder.finish(finished(facts=some_facts(), id=f"d-{number}"))
    assert len(sink.latest(1000)) == 256


def test_no_text_of_a_request_is_in_record_line_or_metrics() -> None:
    desk, job = Desk(), a_job()
    record = desk.finish(facts=some_facts(), selection=job.selection, job=job)
    assert record is not None
    kept = encode_record(record) + desk.lines.lines[0] + desk.metrics.render()
    assert b"secret" not in kept


def test_waiting_longer_than_the_request_lived_is_no_negative_overhead() -> None:
    record = Desk().finish(facts=some_facts(), job=a_job(), duration_seconds=0.1)
    assert record is not None
    assert record.overhead_microseconds == 0


# ------------------------------------------------------------------------------------------------ schema


def valid(record: DecisionRecord) -> bool:
    data = encode_record(record)
    VALIDATOR.validate(json.loads(data))
    return decode_record(data) == record


@pytest.mark.parametrize("state", [{}, {"a": 5.0}, {"a": 5.0, "b": 6.0}, {"pinned": key("b")}])
def test_a_record_as_it_is_written_is_one_of_the_published_schema(state: dict[str, Any]) -> None:
    job = a_job(**state)
    record = Desk().finish(facts=some_facts(), policy=policy_used(), selection=job.selection, job=job)
    assert record is not None
    assert valid(record)


@settings(max_examples=30)
@given(worlds())
def test_whatever_was_selected_its_record_is_one_of_the_published_schema(world: World) -> None:
    chosen = world.select(KeyedDraws(b"k"))
    record = Desk().finish(facts=world.facts, policy=world.policy.used, selection=chosen)
    assert record is not None
    assert valid(record)


def test_fields_that_nobody_writes_yet_are_in_the_schema_too() -> None:
    experiment = ExperimentAssignment(namespace="n", name="e", uid="u", arm="control", probability=0.5)
    predicted = Prediction(cost_micro_usd=1, latency_microseconds_quantiles=(1, 2, 3), output_tokens=4, quality=0.5)
    candidates = tuple(msgspec.structs.replace(each, predicted=predicted) for each in selection().candidates)
    assert valid(a_record(experiment=experiment, candidates=candidates, bundles=("sha256:1",), trace_id="t"))
