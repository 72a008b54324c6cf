"""Laws of selecting that hold in every world."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import structs

from fairlead_contract.decision import DecisionRecord, RemovedBy, StateRead
from fairlead_contract.fragments import Constraints
from fairlead_router.config.table import ModelEntry
from fairlead_router.select.draws import KeyedDraws, RecordedDraws
from fairlead_router.select.statistics import EndpointStatistics, RecordedStatistics
from fairlead_router.select.strategies import STRATEGIES
from fairlead_router.select.view import BreakerState, RecordedBreakers, RecordedHealth, StateView
from tests.router.builders import ChosenDraws, a_record, key
from tests.router.select.select_worlds import PLACES, PROVIDERS, World, breaker_views, everyone_in, worlds

CANARY_CELLS = 10
"""The shares of canaries in these worlds are whole tenths."""


def _may_serve(world: World, entry: ModelEntry) -> bool:
    """The hard constraints, stated once more in other words."""
    policy, workspace, facts = world.policy.fragment, world.workspace, world.facts
    layers = [policy.constraints, *([] if workspace is None else [workspace.constraints])]
    declared, offered = entry.model, set(entry.model.capabilities)
    return (
        entry.provider.fragment.withheld is None
        and declared.state != "Inactive"
        and declared.type == "Chat"
        and (workspace is None or workspace.allowed_models is None or entry.ref in workspace.allowed_models)
        and all(offered.issuperset(layer.required_capabilities) for layer in layers)
        and all(set(declared.compliance).issuperset(layer.compliance) for layer in layers)
        and any(
            all(not layer.regions or endpoint.region in layer.regions for layer in layers)
            for endpoint in entry.provider.endpoints
        )
        and (not offered or offered.issuperset(facts.required_capabilities))
        and (declared.context_window_tokens is None or facts.estimated_input_tokens <= declared.context_window_tokens)
    )


@given(worlds(), st.floats(0, 0.999), st.floats(0, 0.999))
def test_nobody_who_violates_a_hard_constraint_may_ever_be_tried(world: World, strategy: float, canary: float) -> None:
    selection = world.select(ChosenDraws(strategy, canary))
    assert all(_may_serve(world, entry) for entry in everyone_in(selection))


@given(worlds())
def test_a_candidate_is_removed_only_for_a_constraint_a_breaker_or_its_weight(world: World) -> None:
    calm = world.with_view(StateView(RecordedBreakers()))
    entries = [target.entry for target in world.policy.targets]
    for candidate, entry in zip(calm.select().candidates, entries, strict=False):
        if entry is not None and _may_serve(world, entry):
            assert candidate.removed is None or candidate.removed.by is RemovedBy.WEIGHT


@given(worlds(), st.floats(0, 0.999), st.floats(0, 0.999))
def test_probabilities_of_the_candidates_sum_to_one_whenever_somebody_can_be_tried(
    world: World, strategy: float, canary: float
) -> None:
    selection = world.select(ChosenDraws(strategy, canary))
    total = sum(candidate.probability for candidate in selection.candidates)
    assert total == pytest.approx(1 if selection.plan else 0)
    assert all(not candidate.probability for candidate in selection.candidates if candidate.removed is not None)
    assert (selection.propensity is None) is (not selection.plan)


@given(worlds())
def test_the_propensity_is_the_probability_with_which_the_first_model_is_first(world: World) -> None:
    left = [
        target
        for target, candidate in zip(world.policy.targets, world.select().candidates, strict=False)
        if candidate.removed is None
    ]
    cells = max(1, sum(target.weight for target in left))
    first: Counter[str] = Counter()
    stated: dict[str, float | None] = {}
    for strategy_cell in range(cells):
        for canary_cell in range(CANARY_CELLS):
            draws = ChosenDraws((strategy_cell + 0.5) / cells, (canary_cell + 0.5) / CANARY_CELLS)
            selection = world.select(draws)
            if not selection.plan:
                assert not stated
                return
            name = selection.plan[0].key
            first[name] += 1
            stated[name] = selection.propensity
    event(f"{len(first)} models may be first")
    for name, count in first.items():
        assert stated[name] == pytest.approx(count / (cells * CANARY_CELLS))


@given(worlds(), st.text(max_size=5), st.binary(min_size=1, max_size=8))
def test_equal_input_gives_equal_output(world: World, decision_id: str, secret: bytes) -> None:
    draws = KeyedDraws(secret)
    assert world.select(draws, decision_id=decision_id) == world.select(draws, decision_id=decision_id)


seconds = st.none() | st.floats(0.001, 9).map(lambda value: round(value, 6))
measurements = st.builds(
    EndpointStatistics,
    outstanding=st.integers(0, 5),
    first_byte_seconds=seconds,
    total_seconds=seconds,
    mean_seconds=seconds,
    success_ppm=st.none() | st.integers(0, 1_000_000),
)
limits = st.builds(
    Constraints,
    max_cost_micro_usd=st.none() | st.integers(0, 5),
    max_price=st.none() | st.integers(0, 3),
    max_latency_milliseconds=st.none() | st.integers(1, 9000),
    min_success_ppm=st.none() | st.integers(0, 1_000_000),
)
endpoints = st.sampled_from(("primary", "second"))
states = st.builds(
    StateView,
    breakers=st.builds(
        RecordedBreakers,
        st.dictionaries(
            st.tuples(st.sampled_from(PLACES), endpoints).map(lambda at: f"{key(at[0][1], at[0][0])}@{at[1]}"),
            breaker_views,
        ),
    ),
    pinned_model=st.none() | st.sampled_from(PLACES).map(lambda place: key(place[1], place[0])),
    health=st.builds(
        RecordedHealth, st.frozensets(st.tuples(st.sampled_from(PROVIDERS).map("team-a/{}".format), endpoints))
    ),
    statistics=st.builds(
        RecordedStatistics,
        st.dictionaries(
            st.tuples(st.sampled_from(PLACES).map(lambda place: key(place[1], place[0])), endpoints), measurements
        ),
        st.dictionaries(st.sampled_from(PLACES).map(lambda place: key(place[1], place[0])), st.floats(1, 999)),
    ),
    unix_seconds=st.floats(0, 200),
)


@given(worlds(), states, st.sampled_from(sorted(STRATEGIES)), limits, st.text(max_size=5))
def test_the_draws_and_the_state_of_a_record_replay_the_selection_to_equality(
    world: World, state: StateView, strategy: str, limits: Constraints, decision_id: str
) -> None:
    fragment = structs.replace(world.policy.fragment, strategy=strategy, constraints=limits)
    world = replace(world, policy=replace(world.policy, fragment=fragment), view=state)
    decided = world.select(KeyedDraws(b"secret"), decision_id=decision_id)
    event(f"{strategy}, panic is {decided.panic}, {len(decided.plan)} in the plan")

    record = a_record(
        facts=world.facts, draws=decided.draws, state=(*decided.state, StateRead(key="shares:1", value=""))
    )
    read = msgspec.json.decode(msgspec.json.encode(record), type=DecisionRecord)
    again = replace(world, facts=read.facts, view=StateView.of(read.state))
    assert again.select(RecordedDraws(read.draws), decision_id="another") == decided


@given(worlds(), st.floats(0, 0.999), st.floats(0, 0.999))
def test_panic_puts_back_one_candidate_and_only_when_everybody_left_is_broken(
    world: World, strategy: float, canary: float
) -> None:
    selection = world.select(ChosenDraws(strategy, canary))
    event(f"panic is {selection.panic}")
    if not selection.panic:
        return
    tried = everyone_in(selection)
    open_everywhere = [
        entry
        for entry in tried
        if all(
            world.view.breakers.view(entry.key, endpoint.name, 0.0).state is BreakerState.OPEN
            for endpoint in selection.hard.endpoints_allowed(entry)
        )
    ]
    assert len(open_everywhere) == 1
    assert len(selection.plan) <= 1


@given(worlds(), st.floats(0, 0.999))
def test_no_model_stands_twice_in_a_plan(world: World, draw: float) -> None:
    keys = [entry.key for entry in world.select(ChosenDraws(draw, draw)).plan]
    assert len(keys) == len(set(keys))
