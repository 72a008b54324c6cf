"""Retries are a share of the requests, whatever the provider does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dispatch.retry_budget import (
    FREE_PER_SECOND,
    KEPT_SECONDS,
    RETRY_SHARE,
    RetryBudget,
    RetryBudgets,
)

FREE = FREE_PER_SECOND * KEPT_SECONDS


def taken(budget: RetryBudget, wanted: int, now: float) -> int:
    return sum(budget.take(now) for _ in range(wanted))


def test_rare_retries_are_always_free() -> None:
    budget = RetryBudget()
    assert all(budget.take(second + place / 10) for second in range(100) for place in range(10))


def test_a_fifth_of_the_requests_may_be_retried_beside_the_free_ones() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_first(5.0)
    assert taken(budget, 1000, 5.0) == FREE + 200
    assert budget.withheld == 1000 - FREE - 200


def test_what_is_older_than_ten_seconds_gives_no_room_and_takes_none() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_first(5.0)
    assert taken(budget, 10_000, 14.9) == FREE + 200
    assert taken(budget, 10_000, 24.9) == FREE


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 200), st.integers(0, 200)), max_size=40))
def test_an_outage_never_multiplies_the_load(steps: list[tuple[float, int, int]]) -> None:
    budget, now = RetryBudget(), 0.0
    firsts: list[tuple[int, int]] = []
    retries: list[tuple[int, int]] = []
    for later, requests, wanted in steps:
        now += later
        for _ in range(requests):
            budget.count_first(now)
        firsts.append((int(now), requests))
        retries.append((int(now), taken(budget, wanted, now)))
        recent = int(now) - KEPT_SECONDS
        made = sum(count for at, count in retries if at > recent)
        # A request gives room for as long as a retry takes it; what it gave longer ago was used by retries that count no more.
        assert made <= FREE + RETRY_SHARE * sum(count for at, count in firsts if at > recent - KEPT_SECONDS)


def test_each_provider_has_a_budget_of_its_own_and_is_forgotten_with_it() -> None:
    budgets = RetryBudgets()
    assert taken(budgets.of("team/a"), FREE + 5, 0.0) == FREE
    assert budgets.of("team/b").take(0.0)
    assert dict(budgets.withheld_by_provider()) == {("team/a",): 5, ("team/b",): 0}
    budgets.retain({"team/b"})
    assert dict(budgets.withheld_by_provider()) == {("team/b",): 0}
    assert budgets.of("team/a").take(0.0)


def test_what_was_withheld_in_all_never_shrinks_though_providers_are_forgotten() -> None:
    budgets = RetryBudgets()
    assert taken(budgets.of("team/a"), FREE + 5, 0.0) == FREE
    budgets.retain(set())
    assert budgets.withheld == 5
