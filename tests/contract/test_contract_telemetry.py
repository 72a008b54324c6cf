"""The decision event: exactly the published fields, made from any record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.decision import (
    Attempt,
    CacheResult,
    CacheUse,
    CanaryAssignment,
    Candidate,
    Classification,
    ClassificationPath,
    DecisionRecord,
    Facts,
    Outcome,
    PolicyUsed,
    Prediction,
    Removal,
    RemovedBy,
    SnapshotUsed,
    Stages,
    Usage,
)
from fairlead_contract.telemetry import NO_SPAN, NO_TRACE, encode_event, router_decision_event

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/routeiq.router_decision.v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

A, B = "team/openai/gpt-4", "team/anthropic/claude"
POLICY = PolicyUsed(namespace="team", name="route", uid="u", generation=1, digest="d")
DOCUMENT = {
    "contract_version": {},
    "contract_name": {},
    "event_id": {},
    "trace_id": {},
    "span_id": {},
    "timestamp_utc": {},
    "timestamp_unix_ms": {},
    "input": {"query_length", "requested_model", "user_id", "team_id"},
    "strategy_name": {},
    "strategy_version": {},
    "candidate_deployments": {"model_name", "provider", "score", "available"},
    "selected_deployment": {},
    "selection_reason": {},
    "timings": {"total_ms", "strategy_ms", "embedding_ms"},
    "outcome": {"status", "input_tokens", "output_tokens", "total_tokens"},
    "fallback": {"fallback_triggered", "original_model", "fallback_reason"},
}
"""As the mlops document lists them."""


def attempt(model: str = A, outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> Attempt:
    given: dict[str, Any] = {"endpoint": "main", "started_microseconds": 0, "duration_microseconds": 1}
    return Attempt(model=model, outcome=outcome, **(given | fields))


def candidate(model: str = A, **fields: Any) -> Candidate:
    return Candidate(**({"name": model, "model": model, "probability": 0.5} | fields))


def record(**fields: Any) -> DecisionRecord:
    given: dict[str, Any] = {
        "id": "01a1fd0ee1a73e188ba4013dd3a22aa1",
        "time": 1_705_314_600_250_999,
        "snapshot": SnapshotUsed(epoch=1, revision=1, digest="sha256:0"),
        "facts": Facts(
            workspace="ws",
            namespace="team",
            user_hash="ab12",
            request_type="Chat",
            requested_model="auto",
            content_length_characters=150,
        ),
        "policy": POLICY,
        "strategy": "LowestLatency",
        "candidates": (candidate(A), candidate(B)),
        "plan": (A, B),
        "chosen": A,
        "attempts": (attempt(),),
        "outcome": Outcome.SUCCEEDED,
        "status": 200,
        "duration_microseconds": 5,
        "overhead_microseconds": 1,
        "outcome_key": "d1",
    }
    return DecisionRecord(**(given | fields))


def event(**fields: Any) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(encode_event(router_decision_event(record(**fields))))
    VALIDATOR.validate(payload)
    return payload


def test_the_event_has_the_fields_of_the_document_and_no_others() -> None:
    payload = event()
    assert payload.keys() == DOCUMENT.keys()
    for name, inner in DOCUMENT.items():
        if inner:
            part = payload[name][0] if isinstance(payload[name], list) else payload[name]
            assert part.keys() == set(inner), name
    assert (payload["contract_version"], payload["contract_name"]) == ("v1", "routeiq.router_decision.v1")


def test_a_field_too_many_or_too_few_does_not_fit_the_schema() -> None:
    payload = event()
    for broken in (payload | {"prompt": "x"}, {name: value for name, value in payload.items() if name != "outcome"}):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(broken)


def test_what_was_known_decided_and_used_is_told() -> None:
    payload = event(
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        stages=Stages(received_microseconds=1000, matched_microseconds=1500, selected_microseconds=4500),
        classification=Classification(
            bundle_digest="b",
            path=ClassificationPath.LEARNED,
            category="coding",
            confidence=0.9,
            difficulty="Easy",
            complexity=0.1,
            creativity=0.1,
            microseconds=700,
        ),
        bundles=("sha256:bundle",),
        usage=Usage(input_tokens=100, output_tokens=200),
        candidates=(
            candidate(A, predicted=Prediction(quality=0.95)),
            candidate(B, removed=Removal(by=RemovedBy.BUDGET, message="m")),
        ),
    )
    assert (payload["trace_id"], payload["span_id"]) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert (payload["timestamp_utc"], payload["timestamp_unix_ms"]) == ("2024-01-15T10:30:00.250Z", 1_705_314_600_250)
    assert payload["input"] == {
        "query_length": 150,
        "requested_model": "auto",
        "user_id": "ab12",
        "team_id": "team",
    }
    assert (payload["strategy_name"], payload["strategy_version"]) == ("LowestLatency", "sha256:bundle")
    assert payload["candidate_deployments"] == [
        {"model_name": "gpt-4", "provider": "openai", "score": 0.95, "available": True},
        {"model_name": "claude", "provider": "anthropic", "score": 0.5, "available": False},
    ]
    assert (payload["selected_deployment"], payload["selection_reason"]) == ("gpt-4", "only_candidate")
    assert payload["timings"] == {"total_ms": 3.5, "strategy_ms": 3.0, "embedding_ms": 0.7}
    assert payload["outcome"] == {"status": "success", "input_tokens": 100, "output_tokens": 200, "total_tokens": 300}


def test_without_a_trace_the_ids_are_zero() -> None:
    assert (event()["trace_id"], event()["span_id"]) == (NO_TRACE, NO_SPAN)


def test_the_same_decision_is_the_same_event_and_another_is_another() -> None:
    assert event()["event_id"] == event(status=500)["event_id"] != event(id="other")["event_id"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "success"),
        ({"chosen": B, "attempts": (attempt(A, Outcome.FAILED), attempt(B))}, "fallback"),
        ({"outcome": Outcome.FAILED, "attempts": (attempt(A, Outcome.FAILED),)}, "failure"),
        ({"outcome": Outcome.RATE_LIMITED, "attempts": (attempt(A, Outcome.RATE_LIMITED),)}, "failure"),
        ({"outcome": Outcome.TRUNCATED}, "failure"),
        ({"outcome": Outcome.TIMED_OUT}, "timeout"),
        ({"outcome": Outcome.REFUSED}, "error"),
        ({"outcome": Outcome.CANCELLED}, "error"),
        ({"outcome": Outcome.FAILED, "attempts": (), "chosen": None}, "error"),
        ({"outcome": Outcome.REFUSED, "attempts": (), "chosen": None, "plan": ()}, "no_candidates"),
        (
            {"outcome": Outcome.REFUSED, "attempts": (), "chosen": None, "plan": (), "candidates": (), "policy": None},
            "error",
        ),
    ],
)
def test_every_outcome_is_one_of_the_documents_six(fields: dict[str, Any], status: str) -> None:
    assert event(**fields)["outcome"]["status"] == status


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "lowest_latency"),
        ({"strategy": "Weighted"}, "weighted"),
        ({"policy": None, "strategy": None}, "requested_by_name"),
        ({"affinity": A}, "affinity"),
        ({"canary": CanaryAssignment(model=A, weight_percent=5, assigned=True)}, "canary"),
        ({"canary": CanaryAssignment(model=B, weight_percent=5, assigned=False)}, "lowest_latency"),
        ({"candidates": (candidate(A), candidate(B, role="Fallback"))}, "only_candidate"),
        ({"chosen": B, "attempts": (attempt(A, Outcome.FAILED), attempt(B))}, "fallback"),
        ({"chosen": None, "attempts": ()}, "none"),
        ({"chosen": B, "attempts": (), "cache": CacheUse(result=CacheResult.HIT)}, "cache"),
        ({"chosen": B, "attempts": (), "idempotent_replay": True}, "cache"),
        ({"cache": CacheUse(result=CacheResult.MISS)}, "lowest_latency"),
    ],
)
def test_the_reason_is_one_of_a_few_words(fields: dict[str, Any], reason: str) -> None:
    assert event(**fields)["selection_reason"] == reason


@pytest.mark.parametrize(
    ("fields", "fallback"),
    [
        ({}, (False, None, None)),
        ({"chosen": B, "attempts": (), "cache": CacheUse(result=CacheResult.SHARED)}, (False, None, None)),
        (
            {"chosen": B, "attempts": (attempt(A, Outcome.FAILED, cause="RateLimited"), attempt(B))},
            (True, "gpt-4", "RateLimited"),
        ),
        (
            {"chosen": B, "attempts": (attempt(A, Outcome.FAILED, error="no_answer"), attempt(B))},
            (True, "gpt-4", "no_answer"),
        ),
        (
            {
                "plan": (),
                "chosen": B,
                "attempts": (attempt(B),),
                "candidates": (
                    candidate(A, removed=Removal(by=RemovedBy.CONTEXT_WINDOW, message="m")),
                    candidate(B, role="Fallback"),
                ),
            },
            (True, "gpt-4", "ContextWindow"),
        ),
    ],
)
def test_a_fallback_says_from_what_and_why(
    fields: dict[str, Any], fallback: tuple[bool, str | None, str | None]
) -> None:
    told = event(**fields)["fallback"]
    assert (told["fallback_triggered"], told["original_model"], told["fallback_reason"]) == fallback


def test_models_of_one_name_are_told_apart_by_their_providers() -> None:
    azure = "team/azure/gpt-4"
    payload = event(candidates=(candidate(A), candidate(azure)), plan=(A, azure), chosen=azure)
    assert [each["model_name"] for each in payload["candidate_deployments"]] == ["openai/gpt-4", "azure/gpt-4"]
    assert payload["selected_deployment"] == "azure/gpt-4"
    assert payload["fallback"]["original_model"] == "openai/gpt-4"


@settings(max_examples=100)
@given(
    outcome=st.sampled_from(Outcome),
    chosen=st.sampled_from([None, A, B, "gone/p/m"]),
    plan=st.lists(st.sampled_from([A, B]), max_size=2).map(tuple),
    models=st.lists(st.sampled_from([A, B, "team/openai/a/b", "other/openai/gpt-4"]), max_size=4),
    tried=st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from(Outcome)), max_size=3),
    time=st.integers(0, 4_000_000_000_000_000),
)
def test_any_record_makes_an_event_of_the_schema(
    outcome: Outcome,
    chosen: str | None,
    plan: tuple[str, ...],
    models: list[str],
    tried: list[tuple[str, Outcome]],
    time: int,
) -> None:
    event(
        outcome=outcome,
        chosen=chosen,
        plan=plan,
        candidates=tuple(candidate(each) for each in models),
        attempts=tuple(attempt(*each) for each in tried),
        time=time,
    )
