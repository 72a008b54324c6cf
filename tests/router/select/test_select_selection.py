"""Constraints, breakers, affinity, canary and strategy, each by example."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.decision import Candidate, RemovedBy, StateRead
from fairlead_contract.fragments import Affinity, Canary, Fallback, ProviderFragment, Unit, WorkspaceFragment
from fairlead_router.select.selection import Selection, select, select_direct, unit_value
from fairlead_router.select.view import StateView
from tests.router.builders import (
    ChosenDraws,
    a_model,
    a_policy,
    a_provider,
    a_table,
    a_target,
    a_workspace,
    key,
    linked,
    ref,
    some_facts,
    view,
)

A, B, C = (a_target(name, name, weight=weight) for name, weight in (("a", 70), ("b", 30), ("c", 0)))


def provider(**broken: Any) -> ProviderFragment:
    return a_provider(models=[a_model(name) for name in "abcd"], **broken)


def selected(
    draws: ChosenDraws | None = None,
    *,
    state: StateView | None = None,
    facts: dict[str, Any] | None = None,
    workspace: WorkspaceFragment | None = None,
    **policy: Any,
) -> Selection:
    entry = linked(a_policy(**({"targets": (A, B)} | policy)), provider())
    chosen = draws or ChosenDraws()
    return select(entry, some_facts(**(facts or {})), workspace, state or view(), chosen, decision_id="d", now=0.0)


def plan(selection: Selection) -> str:
    return "".join(entry.model.name for entry in selection.plan)


def candidate(selection: Selection, name: str) -> Candidate:
    return next(each for each in selection.candidates if each.name == name)


def probabilities(selection: Selection) -> dict[str, float]:
    return {each.name: round(each.probability, 6) for each in selection.candidates}


# ------------------------------------------------------------------------------------------------ canary

CANARY = Canary(ref("d"), 20, spec_hash="h1")


@pytest.mark.parametrize(("draw", "tried"), [(0.0, "dab"), (0.19, "dab"), (0.2, "ab"), (0.9, "ab")])
def test_a_canary_is_tried_first_for_its_share_and_the_targets_after_it(draw: float, tried: str) -> None:
    selection = selected(ChosenDraws(canary=draw), canary=CANARY)
    assert plan(selection) == tried
    assert selection.canary is not None
    assert selection.canary.assigned is tried.startswith("d")
    assert probabilities(selection) == {"a": 0.56, "b": 0.24, "canary": 0.2}
    assert selection.propensity == pytest.approx(0.2 if tried == "dab" else 0.56)


def test_the_draw_of_a_canary_belongs_to_the_policy_and_to_this_edit_of_the_canary() -> None:
    draws = ChosenDraws()
    selected(draws, canary=CANARY, facts={"user_hash": "ann"})
    assert draws.asked == [
        ("strategy", "uid-policy-team-a-main", "Request", "d"),
        ("canary:h1", "uid-policy-team-a-main", "User", "ann"),
    ]


def test_a_canary_that_is_removed_gets_no_share_and_no_draw() -> None:
    selection = selected(canary=Canary(ref("gone"), 20))
    assert plan(selection) == "ab"
    assert probabilities(selection) == {"a": 0.7, "b": 0.3, "canary": 0.0}
    assert [draw.purpose for draw in selection.draws] == ["strategy"]
    assert candidate(selection, "canary").removed is not None


def test_a_canary_that_is_also_a_target_stands_once_and_its_probabilities_add_up() -> None:
    drawn = selected(ChosenDraws(canary=0.1), canary=Canary(ref("b"), 20))
    not_drawn = selected(ChosenDraws(strategy=0.9, canary=0.5), canary=Canary(ref("b"), 20))
    assert (plan(drawn), plan(not_drawn)) == ("ba", "ba")
    assert drawn.propensity == not_drawn.propensity == pytest.approx(0.2 + 0.8 * 0.3)


def test_a_canary_takes_everything_when_no_target_is_left() -> None:
    selection = selected(ChosenDraws(canary=0.99), state=view(a=5, b=5), canary=CANARY)
    assert plan(selection) == "d"
    assert selection.propensity == 1.0
    assert not selection.panic


# ------------------------------------------------------------------------------------------------ affinity

AFFINITY = Affinity()


def test_affinity_puts_the_model_it_holds_first_and_keeps_the_others_behind_it() -> None:
    selection = selected(state=view(pinned=key("b")), affinity=AFFINITY)
    assert plan(selection) == "ba"
    assert selection.affinity == key("b")
    assert probabilities(selection) == {"a": 0.0, "b": 1.0}
    assert selection.propensity == 1.0
    assert selection.state == (StateRead(key="affinity", value=key("b")),)


def test_affinity_holds_on_the_canary_even_when_the_canary_is_not_drawn() -> None:
    selection = selected(ChosenDraws(canary=0.9), state=view(pinned=key("d")), affinity=AFFINITY, canary=CANARY)
    assert plan(selection) == "dab"
    assert selection.canary is not None
    assert not selection.canary.assigned


def test_affinity_keeps_a_conversation_off_the_canary_that_was_drawn() -> None:
    selection = selected(ChosenDraws(canary=0.0), state=view(pinned=key("b")), affinity=AFFINITY, canary=CANARY)
    assert plan(selection) == "bda"
    assert selection.canary is not None
    assert not selection.canary.assigned


@pytest.mark.parametrize(("pinned", "broken"), [(None, {}), (key("gone"), {}), (key("b"), {"b": 5.0}), (key("d"), {})])
def test_affinity_to_nobody_or_to_a_model_that_may_not_serve_changes_nothing(
    pinned: str | None, broken: dict[str, Any]
) -> None:
    with_affinity = selected(state=view(pinned=pinned, **broken), affinity=AFFINITY)
    without = selected(state=view(**broken))
    assert (plan(with_affinity), with_affinity.propensity) == (plan(without), without.propensity)
    assert with_affinity.affinity is None


# ------------------------------------------------------------------------------------------------ weights


def test_a_target_of_weight_zero_is_removed_unless_it_has_a_fallback_order() -> None:
    assert candidate(selected(targets=(A, C)), "c").removed is not None
    standby = selected(targets=(A, a_target("c", "c", weight=0, fallback_order=1)))
    assert plan(standby) == "ac"
    assert probabilities(standby) == {"a": 1.0, "c": 0.0}


def test_weights_are_shared_among_those_who_are_left() -> None:
    selection = selected(state=view(a=5))
    assert plan(selection) == "b"
    assert probabilities(selection) == {"a": 0.0, "b": 1.0}
    assert candidate(selection, "a").weight == 70


# ------------------------------------------------------------------------------------------------ breakers


def test_who_is_broken_is_removed_with_the_time_that_is_left_and_the_state_is_recorded() -> None:
    selection = selected(state=view(b=2.5))
    removed = candidate(selection, "b").removed
    assert removed is not None
    assert removed.by is RemovedBy.CIRCUIT_BREAKER
    assert removed.message == "its circuit breaker is open for 2.5 s more"
    assert selection.state == (StateRead(key=f"breaker:{key('b')}@primary", value="Open 2.500s"),)
    assert not selection.panic


def test_when_all_are_broken_the_one_that_is_open_the_shortest_is_tried() -> None:
    selection = selected(state=view(a=9, b=4))
    assert plan(selection) == "b"
    assert selection.panic
    assert selection.propensity == 1.0


def test_panic_never_brings_back_who_violates_a_hard_constraint() -> None:
    selection = selected(
        state=view(a=9, b=4),
        workspace=a_workspace(allowed_models=(ref("a"),)),
        fallbacks=(Fallback(("Error",), ref("c")),),
    )
    assert plan(selection) == "a"
    assert selection.panic


def test_a_fallback_for_errors_that_works_keeps_the_panic_away() -> None:
    selection = selected(state=view(a=9, b=4), fallbacks=(Fallback(("Error",), ref("c")),))
    assert plan(selection) == ""
    assert [fallback.entry.model.name for fallback in selection.fallbacks] == ["c"]
    assert not selection.panic


def test_a_fallback_for_another_cause_does_not_stand_in_for_broken_targets() -> None:
    selection = selected(state=view(a=9, b=4), fallbacks=(Fallback(("ContextWindow",), ref("c")),))
    assert plan(selection) == "b"
    assert selection.panic


# ------------------------------------------------------------------------------------------------ direct and units


def test_a_model_called_by_name_is_the_whole_plan_even_when_it_is_broken() -> None:
    entry = a_table(provider()).models[key("a")]
    selection = select_direct(entry, some_facts(), None, view(a=5), now=0.0)
    assert (plan(selection), selection.panic, selection.propensity) == ("a", True, 1.0)
    assert selection.strategy == "Direct"


def test_a_model_called_by_name_is_held_to_what_its_workspace_allows() -> None:
    entry = a_table(provider()).models[key("a")]
    selection = select_direct(entry, some_facts(), a_workspace(allowed_models=(ref("b"),)), view(), now=0.0)
    assert (plan(selection), selection.propensity) == ("", None)
    assert candidate(selection, "direct").removed is not None


@pytest.mark.parametrize(
    ("unit", "facts", "found"),
    [
        ("User", {"user_hash": "u", "session_hash": "s"}, ("User", "u")),
        ("User", {"session_hash": "s"}, ("Session", "s")),
        ("User", {}, ("Request", "d")),
        ("Session", {"user_hash": "u", "session_hash": "s"}, ("Session", "s")),
        ("Session", {"user_hash": "u"}, ("Request", "d")),
        ("Request", {"user_hash": "u", "session_hash": "s"}, ("Request", "d")),
        ("Workspace", {"user_hash": "u"}, ("Workspace", "ws")),
    ],
)
def test_a_unit_that_is_not_known_falls_to_the_next_known_one(
    unit: Unit, facts: dict[str, str], found: tuple[str, str]
) -> None:
    assert unit_value(unit, some_facts(**facts), "d") == found


def test_a_canary_without_a_share_does_not_stand_in_for_broken_targets() -> None:
    paused = Canary(ref("d"), 0, spec_hash="h1")
    selection = selected(canary=paused, state=view(a=5, b=2))
    assert (plan(selection), selection.panic) == ("b", True)
    assert plan(selected(canary=paused, state=view(a=5, b=2, d=1))) == "b"
