"""Which of the routers' many words are worth a write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.status.endpoint_board import EndpointBoard
from fairlead_operator.status.endpoints import UNKNOWN_HEALTH, EndpointHealth, Endpoints

KEY = "team-a/openai"
WELL = EndpointHealth(EndpointState.HEALTHY, BreakerState.CLOSED, 100, 200, 0.0)
BROKEN = EndpointHealth(EndpointState.UNHEALTHY, BreakerState.OPEN, 0, 200, 60.0)
PROBING = EndpointHealth(EndpointState.DEGRADED, BreakerState.HALF_OPEN, 50, 200, 60.0)
ERRORS = EndpointHealth(EndpointState.DEGRADED, BreakerState.CLOSED, 90, 200, 10.0)


def board_with(health: EndpointHealth) -> EndpointBoard:
    board = EndpointBoard(numbers_seconds=30, calm_seconds=10, idle_seconds=300)
    board.take({KEY: {"main": health}}, 0.0)
    return board


def hears(board: EndpointBoard, health: EndpointHealth, now: float) -> bool:
    return board.take({KEY: {"main": health}}, now)


def shown(board: EndpointBoard) -> EndpointHealth:
    return board.observed().endpoints(KEY, ("main",))["main"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (UNKNOWN_HEALTH, WELL),
        (WELL, ERRORS),
        (WELL, PROBING),
        (WELL, BROKEN),
        (ERRORS, PROBING),
        (PROBING, BROKEN),
        (WELL, replace(WELL, state=EndpointState.UNHEALTHY, check_error="timeout")),
    ],
)
def test_worse_is_shown_at_once_and_better_once_it_lasts(before: EndpointHealth, after: EndpointHealth) -> None:
    board = board_with(before)
    assert hears(board, after, 0.1)
    assert shown(board) == after
    if before == UNKNOWN_HEALTH:
        return
    for now in (1.0, 5.0, 10.9):
        assert not hears(board, before, now)
        assert shown(board) == after
    assert hears(board, before, 11.0)
    assert shown(board) == before


def test_a_breaker_that_probes_a_dead_provider_does_not_look_mended_in_between() -> None:
    board = board_with(BROKEN)
    for minute in range(5):
        for second, health in ((0, BROKEN), (20, PROBING), (23, PROBING), (26, BROKEN), (40, PROBING), (49, WELL)):
            assert not hears(board, health, 60 * minute + second)
    assert shown(board) == BROKEN


def test_a_healthy_endpoint_that_nobody_calls_becomes_unknown_after_a_long_time_only() -> None:
    board = board_with(WELL)
    assert not hears(board, UNKNOWN_HEALTH, 100.0)
    assert not hears(board, WELL, 200.0)
    assert not hears(board, UNKNOWN_HEALTH, 300.0)
    assert not hears(board, UNKNOWN_HEALTH, 599.0)
    assert shown(board) == WELL
    assert hears(board, UNKNOWN_HEALTH, 600.0)
    assert shown(board) == UNKNOWN_HEALTH


NUMBERS: list[tuple[str, EndpointHealth, bool]] = [
    ("the same", WELL, False),
    ("a little slower", replace(WELL, latency_p50_milliseconds=230), False),
    ("much slower", replace(WELL, latency_p50_milliseconds=250), True),
    ("few errors", replace(WELL, error_percent=0.9), False),
    ("some errors", replace(WELL, error_percent=1.5), True),
    ("a slightly lower score", replace(WELL, score_percent=96), False),
    ("a lower score", replace(WELL, score_percent=95), True),
    ("no calls lately", replace(WELL, error_percent=None, latency_p50_milliseconds=None), False),
]


@pytest.mark.parametrize(("heard", "worth_it"), [case[1:] for case in NUMBERS], ids=[case[0] for case in NUMBERS])
def test_numbers_alone_are_shown_now_and_then_and_if_they_mean_something_else(
    heard: EndpointHealth, worth_it: bool
) -> None:
    board = board_with(WELL)
    assert not hears(board, heard, 29.9)
    assert hears(board, heard, 30.0) is worth_it
    assert shown(board) == (heard if worth_it else WELL)


def test_numbers_come_along_with_a_change_of_state() -> None:
    board = board_with(WELL)
    hears(board, replace(BROKEN, latency_p50_milliseconds=999), 1.0)
    assert shown(board).latency_p50_milliseconds == 1000


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 4.9), st.integers(95, 100)), min_size=40, max_size=40))
def test_whatever_the_numbers_do_a_steady_endpoint_is_written_twice_a_minute_at_most(
    numbers: list[tuple[int, float, int]],
) -> None:
    board = board_with(WELL)
    writes = 0
    for look, (latency, errors, score) in enumerate(numbers, 1):
        heard = replace(WELL, latency_p50_milliseconds=latency, error_percent=errors, score_percent=score)
        writes += hears(board, heard, 3.0 * look)
    assert writes <= 4  # two minutes


def test_when_no_router_answers_nothing_is_known_at_once() -> None:
    board = board_with(BROKEN)
    assert board.take(None, 1.0)
    assert shown(board) == UNKNOWN_HEALTH
    assert not board.take(None, 2.0)


def test_a_provider_that_routers_do_not_have_any_more_is_forgotten() -> None:
    board = board_with(BROKEN)
    assert not board.take({}, 1.0)
    assert board.take({}, 11.0)
    assert board.observed().shown == {}


@pytest.mark.parametrize("last", [WELL, BROKEN, UNKNOWN_HEALTH])
def test_nothing_is_remembered_of_providers_that_came_and_went(last: EndpointHealth) -> None:
    board = EndpointBoard(calm_seconds=10, idle_seconds=20)
    for number in range(50):
        board.take({f"team-a/p{number}": {"main": WELL}}, 100.0 * number)
        board.take({f"team-a/p{number}": {"main": last}}, 100.0 * number + 1)
        board.take({f"team-a/p{number}": {"main": last}}, 100.0 * number + 30)
    board.take({}, 10_000.0)
    board.take({}, 10_100.0)
    assert board.observed().shown == {}


def test_an_endpoint_that_was_renamed_is_forgotten_and_its_successor_shown() -> None:
    board = board_with(BROKEN)
    new: dict[str, Endpoints] = {KEY: {"other": WELL}}
    assert board.take(new, 1.0)
    assert board.take(new, 11.0)
    assert board.observed().shown == {KEY: {"other": WELL}}


def test_what_was_observed_does_not_change_afterwards() -> None:
    board = board_with(WELL)
    before = board.observed()
    hears(board, BROKEN, 1.0)
    assert before.endpoints(KEY, ("main",)) == {"main": WELL}
