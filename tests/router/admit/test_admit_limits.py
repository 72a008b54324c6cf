"""Bounds on what the router takes in at once."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from fairlead_router.admit.limits import Admission, Refusal
from fairlead_router.admit.priority import Priority
from fairlead_router.errors import RouterError

LOW, NORMAL, HIGH = Priority


def admission(**limits: Any) -> Admission:
    return Admission(**({"max_body_bytes": 100, "max_concurrent_requests": 2} | limits))


def full(**limits: Any) -> Admission:
    """One place, which is taken."""
    places = admission(max_concurrent_requests=1, max_queued_requests=2, queue_seconds=30.0, **limits)
    assert places.take()
    return places


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def standing(places: Admission, priority: Priority = NORMAL, patience: float = 30.0) -> asyncio.Task[float]:
    return asyncio.create_task(places.wait(priority, patience))


def test_a_place_is_taken_while_the_request_lives_and_free_again_after_it() -> None:
    places = admission()
    with places.place():
        assert places.in_flight == 1
        with places.place():
            assert places.in_flight == 2
    assert places.in_flight == 0


def test_a_request_over_the_limit_is_refused_counted_and_takes_no_place() -> None:
    places = admission()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(places.place())
        for _ in range(3):
            with pytest.raises(RouterError) as raised, places.place():
                raise AssertionError("there was no place")
        assert (places.in_flight, places.refusals[Refusal.QUEUE_FULL]) == (2, 3)
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (503, "router_overloaded", 1)
    assert "already serves 2 requests" in error.message
    with places.place():
        assert places.in_flight == 1


def _fail_in(places: Admission) -> None:
    with places.place():
        raise ZeroDivisionError


def test_a_request_that_fails_gives_its_place_back() -> None:
    places = admission()
    with pytest.raises(ZeroDivisionError):
        _fail_in(places)
    assert places.in_flight == 0


async def test_who_takes_the_place_of_one_that_has_just_hung_up_stands_in_line() -> None:
    places = admission(max_concurrent_requests=1, max_queued_requests=1, queue_seconds=30.0)
    assert places.take()
    leaving = standing(places, LOW)
    await settle()
    high = standing(places, HIGH)  # runs before the one that leaves has cleaned up
    leaving.cancel()
    await settle()
    assert (leaving.cancelled(), places.queued, places.refused) == (True, 1, 0)
    places.leave()
    await high


async def test_a_place_that_becomes_free_goes_to_who_is_first_in_line() -> None:
    places = full()
    first, second = standing(places), standing(places)
    await settle()
    assert (places.queued, places.in_flight) == (2, 1)
    places.leave()
    await settle()
    assert (first.done(), second.done(), places.queued, places.in_flight) == (True, False, 1, 1)
    assert not places.take(), "nobody overtakes those in line"
    places.leave()
    await second
    places.leave()
    assert (places.in_flight, places.queued) == (0, 0)


async def test_the_urgent_go_first() -> None:
    places = full()
    low, high = standing(places, LOW), standing(places, HIGH)
    await settle()
    places.leave()
    await settle()
    assert (high.done(), low.done()) == (True, False)
    places.leave()
    await low


async def test_a_full_line_refuses_and_an_urgent_request_takes_the_place_of_the_least_urgent() -> None:
    places = full()
    old, new = standing(places, LOW), standing(places, LOW)
    await settle()
    with pytest.raises(RouterError) as refused:
        await places.wait(LOW, 30.0)
    assert (refused.value.status, refused.value.code) == (503, "router_overloaded")
    with pytest.raises(RouterError):
        places.check_room(LOW)
    places.check_room(NORMAL)
    urgent = standing(places, NORMAL)
    await settle()
    with pytest.raises(RouterError) as displaced:
        await new
    assert displaced.value.code == "router_overloaded"
    assert (places.queued, places.refusals[Refusal.DISPLACED], places.refusals[Refusal.QUEUE_FULL]) == (2, 1, 2)
    for waiting in (urgent, old):
        places.leave()
        await waiting


@pytest.mark.parametrize(("patience", "queue_seconds"), [(0.01, 30.0), (30.0, 0.01), (0.0, 30.0)])
async def test_who_waits_longer_than_it_or_the_router_will_is_told_so(patience: float, queue_seconds: float) -> None:
    places = admission(max_concurrent_requests=1, max_queued_requests=2, queue_seconds=queue_seconds)
    waits: list[float] = []
    places.waited = waits.append
    assert places.take()
    with pytest.raises(RouterError) as raised:
        await places.wait(NORMAL, patience)
    assert (raised.value.status, raised.value.code) == (503, "queue_timeout")
    assert raised.value.retry_after_seconds is not None
    assert (places.queued, places.in_flight, places.refusals[Refusal.QUEUE_TIMEOUT], len(waits)) == (0, 1, 1, 1)


async def test_who_hangs_up_while_waiting_frees_its_place_in_line_at_once() -> None:
    places = full()
    gone, patient = standing(places), standing(places)
    await settle()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert places.queued == 1
    places.leave()
    await patient
    assert places.in_flight == 1


async def test_a_place_given_to_somebody_who_leaves_in_that_moment_goes_to_the_next() -> None:
    places = full()
    gone, patient = standing(places), standing(places)
    await settle()
    places.leave()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await patient
    assert (places.in_flight, places.queued) == (1, 0)
    places.leave()
    assert places.in_flight == 0


async def test_the_moment_of_leaving_does_not_matter() -> None:
    """Whatever is cancelled when: places are neither lost nor given twice."""
    places = admission(max_concurrent_requests=3, max_queued_requests=50, queue_seconds=30.0)

    async def serve(priority: Priority) -> None:
        if not places.take():
            await places.wait(priority, 30.0)
        try:
            assert places.in_flight <= 3
            await asyncio.sleep(0)
        finally:
            places.leave()

    for leave_at in range(8):
        tasks = [asyncio.create_task(serve(Priority(number % 3))) for number in range(40)]
        for _ in range(leave_at):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (places.in_flight, places.queued) == (0, 0)
        assert all(task.cancelled() or task.exception() is None for task in tasks)


async def test_the_wait_that_is_asked_for_follows_from_how_fast_places_become_free() -> None:
    now = 0.0
    places = admission(max_concurrent_requests=1, max_queued_requests=0, clock=lambda: now)
    assert places.take()
    with pytest.raises(RouterError):
        places.check_room(NORMAL)
    for _ in range(4):
        now += 5.0
        places.leave()
        assert places.take()
    with pytest.raises(RouterError) as raised:
        places.check_room(NORMAL)
    assert raised.value.retry_after_seconds == pytest.approx(5.0)


@pytest.mark.parametrize("length", [None, 0, 99, 100])
def test_a_body_within_the_limit_or_of_unknown_length_is_let_in(length: int | None) -> None:
    admission().check_length(length)


def test_a_body_that_says_it_is_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(RouterError) as raised:
        admission().check_length(101)
    assert (raised.value.status, raised.value.code) == (413, "request_too_large")


def test_bytes_are_held_up_to_a_limit_of_all_requests_together() -> None:
    places = admission(max_buffered_bytes=250)
    places.hold(100)
    places.hold(150)
    with pytest.raises(RouterError) as raised:
        places.hold(1)
    assert (raised.value.status, raised.value.code) == (503, "router_overloaded")
    assert places.refusals[Refusal.BUFFERS_FULL] == 1
    places.buffers.give_back(100)
    places.hold(100)
    assert places.buffers.held == 250
