"""LeastCost and LowestLatency: what is expected of the candidates, and who comes first for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.decision import Facts
from fairlead_contract.fragments import Endpoint, Model, Price, Target
from fairlead_router.select.draws import KeyedDraws, RecordedDraws
from fairlead_router.select.outlook import Expected
from fairlead_router.select.selection import Selection, select
from fairlead_router.select.statistics import EndpointStatistics, RecordedStatistics
from fairlead_router.select.strategies import EXPLORED, STRATEGIES, least_cost, lowest_latency
from fairlead_router.select.view import BreakerState, BreakerView, RecordedBreakers, StateView
from tests.router.builders import ChosenDraws, a_model, a_policy, a_provider, key, linked, ref, some_facts
from tests.router.select.test_select_strategies import names, never, target

DOLLAR = 1_000_000


def priced(name: str, input_: int, output: int, **fields: Any) -> Model:
    """Prices in micro-dollars a token."""
    return a_model(name, prices=(Price(0, input=input_ * DOLLAR, output=output * DOLLAR),), **fields)


def selected(
    *models: Model,
    strategy: str,
    statistics: RecordedStatistics | None = None,
    broken: dict[str, BreakerView] | None = None,
    weights: dict[str, int] | None = None,
    draw: float = 0.5,
    endpoints: tuple[Endpoint, ...] = (Endpoint("primary", "https://a.example"),),
    **facts: Any,
) -> Selection:
    targets = tuple(Target(each.name, ref(each.name), (weights or {}).get(each.name, 100)) for each in models)
    policy = linked(a_policy(strategy=strategy, targets=targets), a_provider(models=models, endpoints=endpoints))
    view = StateView(
        RecordedBreakers(broken or {}), statistics=statistics or RecordedStatistics(), unix_seconds=1_700_000_000.0
    )
    given_facts: Facts = some_facts(**({"estimated_input_tokens": 100} | facts))
    return select(policy, given_facts, None, view, ChosenDraws(draw), decision_id="d", now=0.0)


def first(selection: Selection) -> str:
    return selection.plan[0].model.name


def costs(selection: Selection) -> list[int | None]:
    return [None if each.predicted is None else each.predicted.cost_micro_usd for each in selection.candidates]


# ------------------------------------------------------------------------------------------------ cost


def test_the_cheapest_answer_comes_first_and_the_others_by_what_they_cost() -> None:
    selection = selected(priced("dear", 3, 9), priced("cheap", 1, 3), priced("fair", 2, 3), strategy="LeastCost")
    assert [entry.model.name for entry in selection.plan] == ["cheap", "fair", "dear"]
    assert costs(selection) == [100 * 3 + 256 * 9, 100 + 256 * 3, 200 + 256 * 3]
    assert selection.propensity == 1.0


@pytest.mark.parametrize(
    ("tokens", "facts", "expected"),
    [
        ({}, {}, 256),
        ({"small": 40.0}, {}, 40),
        ({"other": 90.0}, {}, 90),
        ({"small": 40.0}, {"max_output_tokens": 10}, 10),
        ({}, {"max_output_tokens": 10}, 10),
        ({"small": 40.0}, {"generations": 3}, 120),
        ({"small": 40.0}, {"generations": 0}, 0),
    ],
)
def test_the_length_of_an_answer_is_the_models_mean_else_that_of_the_others_within_the_bound(
    tokens: dict[str, float], facts: dict[str, Any], expected: int
) -> None:
    statistics = RecordedStatistics(tokens={key(name): mean for name, mean in tokens.items()})
    selection = selected(
        priced("small", 1, 1), priced("other", 1, 1), strategy="LeastCost", statistics=statistics, **facts
    )
    predicted = selection.candidates[0].predicted
    assert predicted is not None
    assert (predicted.output_tokens, predicted.cost_micro_usd) == (expected, 100 + expected)


def test_a_talkative_model_costs_more_than_its_price_says() -> None:
    statistics = RecordedStatistics(tokens={key("talks"): 900.0, key("brief"): 10.0})
    assert first(
        selected(priced("talks", 1, 1), priced("brief", 2, 2), strategy="LeastCost", statistics=statistics)
    ) == ("brief")


def test_a_price_holds_from_its_time_on() -> None:
    falls = Price(1_700_000_000, input=0), Price(0, input=9 * DOLLAR)
    later = Price(1_700_000_001, input=0), Price(0, input=9 * DOLLAR)
    selection = selected(a_model("now", prices=falls), a_model("later", prices=later), strategy="LeastCost")
    assert costs(selection) == [0, 900]


def test_a_model_without_a_price_is_not_cheap_but_unknown_and_comes_last() -> None:
    selection = selected(a_model("unpriced"), priced("dear", 90, 90), strategy="LeastCost")
    assert [entry.model.name for entry in selection.plan] == ["dear", "unpriced"]


def test_equally_cheap_models_share_by_weight() -> None:
    models = priced("a", 1, 1), priced("b", 1, 1), priced("c", 5, 5)
    ran = [
        selected(*models, strategy="LeastCost", weights={"a": 30, "b": 10}, draw=(cell + 0.5) / 40)
        for cell in range(40)
    ]
    assert Counter(map(first, ran)) == {"a": 30, "b": 10}
    assert {round(each.propensity or 0, 6) for each in ran} == {0.75, 0.25}


# ------------------------------------------------------------------------------------------------ latency


def measured(**seconds: float | tuple[float, int]) -> RecordedStatistics:
    """Seconds to the end, and calls that run, of models at their primary endpoint."""
    pairs = {name: each if isinstance(each, tuple) else (each, 0) for name, each in seconds.items()}
    return RecordedStatistics(
        {
            (key(name), "primary"): EndpointStatistics(outstanding, total_seconds=total)
            for name, (total, outstanding) in pairs.items()
        }
    )


@pytest.mark.parametrize(
    ("statistics", "winner"),
    [
        (measured(a=0.5, b=0.4), "b"),
        (measured(a=0.5, b=(0.4, 1)), "a"),
        (measured(a=(0.5, 9), b=(0.4, 9)), "b"),
        (measured(a=(0.1, 4), b=0.4), "b"),
    ],
)
def test_the_fastest_under_the_load_of_the_moment_comes_first(statistics: RecordedStatistics, winner: str) -> None:
    selection = selected(a_model("a"), a_model("b"), strategy="LowestLatency", statistics=statistics)
    assert first(selection) == winner
    assert selection.propensity == 1.0
    assert not selection.draws


def test_streams_are_compared_by_their_first_byte() -> None:
    def at(first_byte: float, total: float) -> EndpointStatistics:
        return EndpointStatistics(first_byte_seconds=first_byte, total_seconds=total)

    statistics = RecordedStatistics({(key("a"), "primary"): at(0.1, 9), (key("b"), "primary"): at(0.2, 1)})
    winners = [
        first(selected(a_model("a"), a_model("b"), strategy="LowestLatency", statistics=statistics, stream=stream))
        for stream in (True, False)
    ]
    assert winners == ["a", "b"]


def test_a_model_is_as_fast_as_the_best_of_the_endpoints_that_would_be_called() -> None:
    places = (Endpoint("one", "https://a.example"), Endpoint("two", "https://b.example"))
    statistics = RecordedStatistics(
        {
            (key("a"), "one"): EndpointStatistics(total_seconds=0.1),
            (key("a"), "two"): EndpointStatistics(total_seconds=2.0),
            (key("b"), "one"): EndpointStatistics(total_seconds=1.0),
        }
    )
    models = a_model("a"), a_model("b")
    assert first(selected(*models, strategy="LowestLatency", statistics=statistics, endpoints=places)) == "a"
    broken = {f"{key('a')}@one": BreakerView(BreakerState.OPEN, 5.0)}
    assert (
        first(selected(*models, strategy="LowestLatency", statistics=statistics, endpoints=places, broken=broken))
        == "b"
    )


@pytest.mark.parametrize(
    ("draw", "order"), [(0.0, "cab"), (0.0249, "cab"), (0.0251, "dab"), (0.0499, "dab"), (0.05, "abc"), (0.99, "abc")]
)
def test_a_small_share_goes_to_models_of_which_nothing_is_known(draw: float, order: str) -> None:
    statistics = measured(a=0.1, b=0.2)
    selection = selected(*map(a_model, "abcd"), strategy="LowestLatency", statistics=statistics, draw=draw)
    assert "".join(entry.model.name for entry in selection.plan)[:3] == order
    assert selection.propensity == pytest.approx(1 - EXPLORED if order[0] == "a" else EXPLORED / 2)


def test_while_nothing_is_known_of_anybody_weights_decide() -> None:
    weights = {"a": 10, "b": 90}
    selection = selected(*map(a_model, "ab"), strategy="LowestLatency", weights=weights, draw=0.5)
    assert (first(selection), selection.propensity) == ("b", 0.9)


# ------------------------------------------------------------------------------------------------ both

outlooks = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 5)), st.none() | st.sampled_from((10, 20)), st.none() | st.sampled_from((0.1, 0.2))
    ),
    min_size=1,
    max_size=5,
)


@given(outlooks)
def test_the_stated_probabilities_are_the_frequencies(
    given_targets: list[tuple[int, int | None, float | None]],
) -> None:
    targets = [target(str(number), weight, number) for number, (weight, _, _) in enumerate(given_targets)]
    outlook = {
        str(number): Expected(cost_micro_usd=cost, latency_seconds=latency)
        for number, (_, cost, latency) in enumerate(given_targets)
    }
    cells = 1200
    for strategy in (least_cost, lowest_latency):
        ran = [strategy(targets, lambda: (cell + 0.5) / cells, outlook) for cell in range(cells)]  # noqa: B023
        assert sum(ran[0].probabilities.values()) == pytest.approx(1)
        frequencies = Counter(each.order[0].name for each in ran)
        for name, probability in ran[0].probabilities.items():
            assert frequencies[name] / cells == pytest.approx(probability, abs=2 / cells)
        assert all(sorted(names(each.order)) == sorted(str(n) for n in range(len(targets))) for each in ran)


def test_targets_of_weight_zero_come_last_whatever_they_cost_or_take() -> None:
    targets = [target("z", 0, 1), target("a"), target("b")]
    outlook = {
        "z": Expected(1, None, 0.1),
        "a": Expected(3, None, 0.3),
        "b": Expected(2, None, 0.2),
    }
    for strategy in (least_cost, lowest_latency):
        assert names(strategy(targets, never, outlook).order) == "baz"


views = st.builds(
    EndpointStatistics,
    outstanding=st.integers(0, 5),
    first_byte_seconds=st.none() | st.floats(0.001, 9).map(lambda value: round(value, 6)),
    total_seconds=st.none() | st.floats(0.001, 9).map(lambda value: round(value, 6)),
)


@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.dictionaries(st.sampled_from([(key(name), "primary") for name in "abc"]), views),
    st.dictionaries(st.sampled_from([key(name) for name in "abc"]), st.floats(1, 999)),
    st.binary(min_size=1, max_size=4),
)
def test_what_a_record_holds_replays_the_selection_to_equality(
    strategy: str,
    endpoints: dict[tuple[str, str], EndpointStatistics],
    tokens: dict[str, float],
    secret: bytes,
) -> None:
    models = [priced("a", 1, 3), priced("b", 2, 2), a_model("c")]
    targets = tuple(Target(each.name, ref(each.name)) for each in models)
    policy = linked(a_policy(strategy=strategy, targets=targets), a_provider(models=models))
    view = StateView(RecordedBreakers(), statistics=RecordedStatistics(endpoints, tokens), unix_seconds=5.25)
    facts = some_facts(estimated_input_tokens=7)
    decided = select(policy, facts, None, view, KeyedDraws(secret), decision_id="d", now=0.0)
    times = [float(read.value) for read in decided.state if read.key == "unix_seconds"]
    recorded = StateView(
        RecordedBreakers(), statistics=RecordedStatistics.of(decided.state), unix_seconds=times[0] if times else 0.0
    )
    assert select(policy, facts, None, recorded, RecordedDraws(decided.draws), decision_id="x", now=0.0) == decided
