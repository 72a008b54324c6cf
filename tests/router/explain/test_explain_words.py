"""A decision in words, for each kind of ending."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.decision import (
    Attempt,
    CacheResult,
    CacheUse,
    CanaryAssignment,
    Candidate,
    Draw,
    Outcome,
    Removal,
    RemovedBy,
    StateRead,
    Usage,
)
from fairlead_contract.fragments import PolicyFragment
from fairlead_router.explain.decisions import explain_decision
from fairlead_router.explain.words import decision_in_words
from tests.router.builders import a_policy, a_record, a_table, policy_used, some_facts


def words(*policies: PolicyFragment, changed: bool = False, **fields: Any) -> str:
    table = a_table(*policies)
    if not changed:
        fields["snapshot"] = table.used
    return decision_in_words(explain_decision(table, a_record(**fields)))


def attempt(**fields: Any) -> Attempt:
    given: dict[str, Any] = {
        "model": "team-a/openai/small",
        "endpoint": "primary",
        "outcome": Outcome.SUCCEEDED,
        "started_microseconds": 0,
        "duration_microseconds": 120_000,
        "status": 200,
    }
    return Attempt(**(given | fields))


def candidate(name: str, model: str, **fields: Any) -> Candidate:
    return Candidate(name=name, model=f"team-a/openai/{model}", **fields)


SERVED = """\
Decision d-1
  arrived 2023-11-14T22:13:20.000+00:00, ended Succeeded with status 200

Request
  ci of workspace ws (namespace team-a)
  asked for model 'auto', streamed, 2 message(s) of 11 characters, agent type coder, tier premium, needs Tools

Decided by RoutingPolicy team-a/main, generation 3
  under snapshot 1.1
  → team-a/main (Normal, priority 0): every condition holds, and no policy before it matched

Candidates (Weighted)
  target main: team-a/openai/small — tried first with probability 0.560
  target other: team-a/openai/big — removed by CircuitBreaker: its circuit breaker is open for 4.0 s more
  canary canary: team-a/openai/new — tried first with probability 0.200
  fallback fallback-1: team-a/openai/spare — standing by
  canary team-a/openai/new at 20 %: not drawn
  drew 0.2500 for strategy by Request
  read breaker:team-a/openai/big@primary = Open 4.000s
  order: team-a/openai/small → team-a/openai/new

Attempts
  1. team-a/openai/small at endpoint primary: Failed, server_error, status 503, 120.0 ms, asked to wait 2 s
  2. team-a/openai/small at endpoint primary: Succeeded, status 200, 120.0 ms (first byte after 30.0 ms), $0.000042

Time and money
  1.5 ms in all, 0.50 ms of it in the router
  5 tokens in, 7 out; cost $0.000042
"""


def test_a_request_that_was_served() -> None:
    text = words(
        a_policy(),
        facts=some_facts(
            subject="ci",
            stream=True,
            message_count=2,
            content_length_characters=11,
            agent_type="coder",
            user_tier="premium",
            required_capabilities=("Tools",),
        ),
        policy=policy_used(),
        strategy="Weighted",
        candidates=(
            candidate("main", "small", probability=0.56),
            candidate(
                "other",
                "big",
                removed=Removal(by=RemovedBy.CIRCUIT_BREAKER, message="its circuit breaker is open for 4.0 s more"),
            ),
            candidate("canary", "new", role="Canary", probability=0.2),
            candidate("fallback-1", "spare", role="Fallback"),
        ),
        canary=CanaryAssignment(model="team-a/openai/new", weight_percent=20, assigned=False),
        draws=(Draw(purpose="strategy", uid="u", unit="Request", value=0.25),),
        state=(StateRead(key="breaker:team-a/openai/big@primary", value="Open 4.000s"),),
        plan=("team-a/openai/small", "team-a/openai/new"),
        attempts=(
            attempt(outcome=Outcome.FAILED, status=503, error="server_error", retry_after_seconds=2.0),
            attempt(first_byte_microseconds=30_000, cost_micro_usd=42),
        ),
        usage=Usage(input_tokens=5, output_tokens=7),
        cost_micro_usd=42,
    )
    assert text == SERVED


REFUSED = """\
Decision d-1
  arrived 2023-11-14T22:13:20.000+00:00, ended Refused with status 503 (no_policy)

Request
  an anonymous caller of workspace ws (owned by no namespace)
  asked for model 'auto', not streamed, 0 message(s) of 0 characters

Decided by nothing: no policy matched
  under snapshot 1.1
  ✗ team-a/main (Normal, priority 0): namespace wants a workspace owned by namespace team-a, found workspace ws \
owned by nobody

Nobody was called

Time and money
  1.5 ms in all, 0.50 ms of it in the router
  0 tokens in, 0 out; cost $0.000000
"""


def test_a_request_that_no_policy_matched() -> None:
    facts = some_facts(namespace=None)
    assert words(a_policy(), facts=facts, outcome=Outcome.REFUSED, status=503, error="no_policy") == REFUSED


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"candidates": (candidate("direct", "small", role="Direct", probability=1.0),)},
            "Decided by the model's name: no policy matched, and exactly one visible model bears it",
        ),
        (
            {"outcome": Outcome.CANCELLED, "status": 499, "error": "client_closed_request"},
            "ended Cancelled with status",
        ),
        ({"outcome": Outcome.TRUNCATED}, "ended Truncated with status 200"),
        ({"outcome": Outcome.TIMED_OUT, "status": 504}, "ended TimedOut with status 504"),
        ({"outcome": Outcome.RATE_LIMITED, "status": 429}, "ended RateLimited with status 429"),
        ({"usage": Usage(output_tokens=3, estimated=True)}, "0 tokens in, 3 out (estimated); cost"),
        (
            {"attempts": (attempt(outcome=Outcome.FAILED, status=None, error="connect_failed"),)},
            "connect_failed, 120.0",
        ),
        ({"policy": policy_used(), "changed": True}, "the configuration has changed since"),
        (
            {"candidates": (candidate("main", "small"),), "panic": True},
            "nobody was left whom breakers and health checks let through, so the least bad candidate was tried",
        ),
        (
            {"candidates": (candidate("main", "small"),), "affinity": "team-a/openai/small"},
            "held on team-a/openai/small by affinity",
        ),
        (
            {
                "candidates": (candidate("main", "small"),),
                "canary": CanaryAssignment(model="m", weight_percent=5, assigned=True),
            },
            "canary m at 5 %: drawn",
        ),
    ],
)
def test_every_other_ending_and_turn_has_its_words(fields: dict[str, Any], line: str) -> None:
    assert line in words(**fields)


def test_policies_that_match_but_come_too_late_are_marked() -> None:
    text = words(a_policy("one", priority=2), a_policy("two", priority=1), policy=policy_used("one"))
    assert "  → team-a/one " in text
    assert "  · team-a/two " in text


def test_the_trace_of_a_request_is_named_where_there_is_one() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert f"  trace {trace}\n" in words(trace_id=trace)
    assert "trace" not in words()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cache": CacheUse(result=CacheResult.HIT, age_seconds=42)}, "an answer from the response cache, 42 s old"),
        ({"cache": CacheUse(result=CacheResult.SHARED)}, "the answer to the same request, which was under way"),
        ({"cache": CacheUse(result=CacheResult.MISS)}, "Nobody was called\n"),
        ({"idempotent_replay": True}, "the answer to an earlier request with the same Idempotency-Key"),
    ],
    ids=["hit", "shared", "miss", "replay"],
)
def test_an_answer_that_was_given_again_is_said_to_be_one(fields: dict[str, Any], said: str) -> None:
    told = words(**fields)
    assert "Nobody was called" in told
    assert said in told
