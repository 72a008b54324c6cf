"""Who is tried first with what probability, and who comes after."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.config.table import TargetEntry
from fairlead_router.select.strategies import STRATEGIES, priority, weighted


def target(name: str, weight: int = 100, order: int | None = None) -> TargetEntry:
    return TargetEntry(name, f"key-{name}", None, weight, order, None)


def names(targets: tuple[TargetEntry, ...]) -> str:
    return "".join(each.name for each in targets)


def never() -> float:
    raise AssertionError("nothing is left to chance here")


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any))
def test_weights_are_met_exactly_by_draws_spread_evenly_over_them(weights: list[int]) -> None:
    targets = [target(str(number), weight) for number, weight in enumerate(weights)]
    total = sum(weights)
    first = Counter(weighted(targets, lambda: (cell + 0.5) / total).order[0].name for cell in range(total))  # noqa: B023
    assert first == {str(number): weight for number, weight in enumerate(weights) if weight}


@pytest.mark.parametrize(
    ("draw", "first"), [(0.0, "a"), (0.6999999, "a"), (0.7, "b"), (0.9999999, "b"), (1 - 2**-53, "b")]
)
def test_a_target_owns_the_interval_of_its_weight(draw: float, first: str) -> None:
    assert weighted([target("a", 70), target("b", 30)], lambda: draw).order[0].name == first


def test_the_largest_draw_never_falls_on_a_target_of_weight_zero() -> None:
    targets = [target("a", 100), target("b", 0, 1)]
    assert weighted(targets, lambda: 1 - 2**-53).order[0].name == "a"


@pytest.mark.parametrize(
    ("targets", "order"),
    [
        ([target("a", 1), target("b", 9), target("c", 5)], "abc"),
        ([target("a", 1), target("c", 5, 2), target("b", 9, 1)], "abc"),
        ([target("a", 1), target("c", 5), target("b", 2, 1)], "abc"),
        ([target("a", 1), target("c", 0, 2), target("b", 9)], "acb"),
        ([target("a", 1), target("c", 5), target("b", 5)], "abc"),
    ],
)
def test_after_the_first_come_the_others_by_fallback_order_then_weight_then_name(
    targets: list[TargetEntry], order: str
) -> None:
    assert names(weighted(targets, lambda: 0.0).order) == order


def test_targets_of_no_weight_are_taken_in_fallback_order_without_a_draw() -> None:
    ranking = weighted([target("b", 0, 2), target("a", 0, 1)], never)
    assert names(ranking.order) == "ab"
    assert ranking.probabilities == {"a": 1.0}


def test_a_single_target_needs_no_draw() -> None:
    assert weighted([target("a")], never).probabilities == {"a": 1.0}


def test_probabilities_are_the_shares_of_the_weights() -> None:
    ranking = weighted([target("a", 1), target("b", 3), target("c", 0, 1)], lambda: 0.0)
    assert ranking.probabilities == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize(
    ("targets", "order"),
    [
        ([target("b", order=2), target("a", order=1)], "ab"),
        ([target("b"), target("c"), target("a", order=9)], "abc"),
        ([target("a", 1), target("b", 100)], "ab"),
    ],
)
def test_priority_follows_fallback_order_whatever_the_weights_and_draws_nothing(
    targets: list[TargetEntry], order: str
) -> None:
    ranking = priority(targets, never)
    assert names(ranking.order) == order
    assert ranking.probabilities == {"a": 1.0}


def test_every_strategy_ranks_everybody_it_is_given_once() -> None:
    targets = [target("a", 0, 3), target("b", 4), target("c", 1, 1)]
    for strategy in STRATEGIES.values():
        ranking = strategy(targets, lambda: 0.5)
        assert sorted(each.name for each in ranking.order) == ["a", "b", "c"]
        assert sum(ranking.probabilities.values()) == 1
