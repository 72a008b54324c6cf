"""Which requests count as having gone on to another model, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from fairlead_contract.decision import Attempt, Candidate, Outcome, Removal, RemovedBy
from fairlead_router.record.fallbacks import fallback_cause
from tests.router.builders import a_record

WINDOW, BREAKER, HEALTH, BUDGET = (
    RemovedBy.CONTEXT_WINDOW,
    RemovedBy.CIRCUIT_BREAKER,
    RemovedBy.HEALTH,
    RemovedBy.BUDGET,
)


def call(model: str, cause: str | None = None, outcome: Outcome = Outcome.FAILED) -> Attempt:
    return Attempt(
        model=model, endpoint="main", outcome=outcome, started_microseconds=0, duration_microseconds=1, cause=cause
    )


def good(model: str) -> Attempt:
    return call(model, outcome=Outcome.SUCCEEDED)


def one(model: str, removed: RemovedBy | None = None, weight: int = 100, role: str = "Target") -> Candidate:
    gone = None if removed is None else Removal(by=removed, message="")
    return Candidate(name=model, model=model, role=role, weight=weight, removed=gone)


@dataclass(frozen=True)
class Case:
    """``chosen`` was called last; ``plan`` is what was left of the targets."""

    name: str
    cause: str | None
    candidates: tuple[Candidate, ...]
    plan: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    strategy: str = "Weighted"


SPARE = one("b", weight=0, role="Fallback")
CASES = [
    Case("its first choice answered", None, (one("a"), SPARE), ("a",), (good("a"),)),
    Case("so it did at the second try", None, (one("a"), SPARE), ("a",), (call("a", "Error"), good("a"))),
    Case("it failed, and nobody else was tried", None, (one("a"),), ("a",), (call("a", "Error"),)),
    Case("another target had to", "Error", (one("a"), one("b")), ("a", "b"), (call("a", "Error"), good("b"))),
    Case("a fallback for a cause", "RateLimited", (one("a"), SPARE), ("a",), (call("a", "RateLimited"), good("b"))),
    Case("the last cause", "Timeout", (one("a"), SPARE), ("a", "c"), (call("a", "Error"), call("c", "Timeout"), good("b"))),
    Case("a failure without a cause", "Other", (one("a"), one("b")), ("a", "b"), (call("a"), good("b"))),
    Case("the stand-in failed too", "Error", (one("a"), SPARE), ("a",), (call("a", "Error"), call("b", "Timeout"))),
    Case("a breaker was open already", "Broken", (one("a", BREAKER), SPARE), (), (good("b"),)),
    Case("checks found it broken", "Broken", (one("a", HEALTH), SPARE), (), (good("b"),)),
    Case("the first was not even called", "Other", (one("a"), one("b")), ("a", "b"), (good("b"),)),
    Case("a stand-in among the targets", "Broken", (one("b", weight=0), one("a", BREAKER)), ("b",), (good("b"),)),
    Case("weights share what is left", None, (one("a", BREAKER), one("b")), ("b",), (good("b"),)),
    Case("the next in order", "Broken", (one("a", BREAKER), one("b")), ("b",), (good("b"),), "Priority"),
    Case("one later in order is broken", None, (one("b"), one("a", BREAKER)), ("b",), (good("b"),), "Priority"),
    Case("the first does not fit", "ContextWindow", (one("a", WINDOW), SPARE), (), (good("b"),)),
    Case("the first is not permitted", None, (one("a", BUDGET), one("b", weight=0)), ("b",), (good("b"),)),
    Case("another fallback is broken", None, (one("a", BUDGET), one("c", BREAKER, role="Fallback"), SPARE), (), (good("b"),)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_went_on_to_another_model(case: Case) -> None:
    fields: dict[str, Any] = {"chosen": case.attempts[-1].model, "candidates": case.candidates, "plan": case.plan}
    assert fallback_cause(a_record(**fields, attempts=case.attempts, strategy=case.strategy)) == case.cause
