"""Hard limits on cost, latency and success, over all layers."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.decision import RemovedBy
from fairlead_contract.fragments import Constraints, Fallback, Price, Target
from fairlead_router.select.selection import Selection, select, select_direct
from fairlead_router.select.statistics import EndpointStatistics, RecordedStatistics
from fairlead_router.select.view import BreakerState, BreakerView, RecordedBreakers, StateView
from tests.router.builders import ChosenDraws, a_model, a_policy, a_provider, a_workspace, key, linked, ref, some_facts

PRICE = Price(0, input=2_000_000, output=8_000_000)
"""Two and eight micro-dollars a token."""


def selected(
    policy: Constraints | None = None,
    workspace: Constraints | None = None,
    statistics: EndpointStatistics | None = None,
    broken: dict[str, BreakerView] | None = None,
    model: dict[str, Any] | None = None,
    **facts: Any,
) -> Selection:
    measured = {} if statistics is None else {(key(), "primary"): statistics}
    entry = linked(
        a_policy(
            targets=(Target("main", ref()),),
            fallbacks=(Fallback(("Error",), ref()),),
            constraints=policy or Constraints(),
        ),
        a_provider(models=(a_model(**({"prices": (PRICE,)} | (model or {}))),)),
    )
    imposed = None if workspace is None else a_workspace(constraints=workspace)
    view = StateView(RecordedBreakers(broken or {}), statistics=RecordedStatistics(measured), unix_seconds=1.0)
    return select(entry, some_facts(**facts), imposed, view, ChosenDraws(), decision_id="d", now=0.0)


def removed(selection: Selection) -> set[RemovedBy | None]:
    return {None if each.removed is None else each.removed.by for each in selection.candidates}


COST, LATENCY, SUCCESS = RemovedBy.COST, RemovedBy.LATENCY, RemovedBy.SUCCESS
CASES: list[tuple[str, Constraints, dict[str, Any], RemovedBy | None]] = [
    ("a token at the limit", Constraints(max_price=8_000_000), {}, None),
    ("a dearer token", Constraints(max_price=7_999_999), {}, COST),
    ("the bound at the limit", Constraints(max_cost_micro_usd=100), {"body_bytes": 10, "max_output_tokens": 10}, None),
    ("the bound beyond it", Constraints(max_cost_micro_usd=99), {"body_bytes": 10, "max_output_tokens": 10}, COST),
    (
        "more answers",
        Constraints(max_cost_micro_usd=100),
        {"body_bytes": 10, "max_output_tokens": 10, "generations": 2},
        COST,
    ),
    ("an unknown latency", Constraints(max_latency_milliseconds=1), {}, None),
    ("an unknown success", Constraints(min_success_ppm=1_000_000), {}, None),
    (
        "slow enough",
        Constraints(max_latency_milliseconds=500),
        {"statistics": EndpointStatistics(mean_seconds=0.5)},
        None,
    ),
    (
        "too slow",
        Constraints(max_latency_milliseconds=499),
        {"statistics": EndpointStatistics(mean_seconds=0.5)},
        LATENCY,
    ),
    (
        "good enough",
        Constraints(min_success_ppm=990_000),
        {"statistics": EndpointStatistics(success_ppm=990_000)},
        None,
    ),
    ("too bad", Constraints(min_success_ppm=990_001), {"statistics": EndpointStatistics(success_ppm=990_000)}, SUCCESS),
]


@pytest.mark.parametrize("layer", ["policy", "workspace"])
@pytest.mark.parametrize(("limits", "given", "by"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_limit_of_any_layer_removes_targets_and_fallbacks_alike(
    limits: Constraints, given: dict[str, Any], by: RemovedBy | None, layer: str
) -> None:
    selection = selected(**{layer: limits}, **given)
    assert removed(selection) == {by}
    assert bool(selection.plan) is (by is None)


@pytest.mark.parametrize("tighter", ["policy", "workspace"])
def test_the_tighter_layer_holds(tighter: str) -> None:
    layers = {
        "policy": Constraints(max_price=9_000_000, min_success_ppm=1),
        "workspace": Constraints(max_price=9_000_000, min_success_ppm=1),
    } | {tighter: Constraints(max_price=1, min_success_ppm=900_000)}
    statistics = EndpointStatistics(success_ppm=800_000)
    assert removed(selected(**layers, statistics=statistics)) == {COST}
    layers[tighter] = Constraints(min_success_ppm=900_000)
    assert removed(selected(**layers, statistics=statistics)) == {SUCCESS}


def test_panic_brings_nobody_back_who_breaks_a_limit() -> None:
    broken = {f"{key()}@primary": BreakerView(BreakerState.OPEN, 5.0)}
    assert selected(broken=broken).panic
    selection = selected(Constraints(max_price=1), broken=broken)
    assert not selection.plan
    assert not selection.panic


def test_a_model_called_by_name_is_held_to_its_workspaces_limits() -> None:
    entry = linked(a_policy(targets=(Target("main", ref()),)), a_provider(models=(a_model(prices=(PRICE,)),)))
    model = entry.targets[0].entry
    assert model is not None
    imposed = a_workspace(constraints=Constraints(max_price=1))
    selection = select_direct(model, some_facts(), imposed, StateView(RecordedBreakers()), now=0.0)
    assert removed(selection) == {COST}


@pytest.mark.parametrize(
    ("limits", "given", "said"),
    [
        (Constraints(max_latency_milliseconds=1), {}, f"latency:{key()}"),
        (Constraints(min_success_ppm=1), {}, f"success:{key()}"),
        (Constraints(max_price=1), {"model": {"prices": ()}}, f"price:{key()}"),
    ],
)
def test_what_is_not_known_excludes_nobody_and_the_record_says_so(
    limits: Constraints, given: dict[str, Any], said: str
) -> None:
    selection = selected(limits, **given)
    assert removed(selection) == {None}
    assert {read.key: read.value for read in selection.state}[said] == "unknown, so allowed"


def test_without_limits_nothing_is_read() -> None:
    assert selected(statistics=EndpointStatistics(mean_seconds=9.0)).state == ()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            Constraints(max_price=1_000_000),
            "a token costs up to $0.000008, more than maxCostPerTokenUSD $0.000001",
        ),
        (
            Constraints(max_cost_micro_usd=5),
            "the request may cost up to $0.000020, more than maxCostUSD $0.000005",
        ),
    ],
)
def test_a_removal_says_by_how_much(limits: Constraints, message: str) -> None:
    found = selected(limits, body_bytes=10).candidates[0].removed
    assert found is not None
    assert found.message == message
