"""One flies, the others wait, and nobody waits in vain."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_router.cache.flights import Flights, Turn

LONG = 30.0


async def waiting(flights: Flights[str], count: int, seconds: float = LONG) -> list[asyncio.Task[str | Turn]]:
    """One who leads, and ``count`` tasks in line behind."""
    assert await flights.enter("n", seconds) is Turn.LEAD
    tasks = [asyncio.create_task(flights.enter("n", seconds)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_get_the_answer_of_the_first() -> None:
    flights: Flights[str] = Flights()
    tasks = await waiting(flights, 3)
    flights.land("n", "answer")
    assert await asyncio.gather(*tasks) == ["answer"] * 3
    assert not len(flights)


async def test_others_are_not_concerned() -> None:
    flights: Flights[str] = Flights()
    assert await flights.enter("n", LONG) is Turn.LEAD
    assert await flights.enter("m", LONG) is Turn.LEAD


async def test_an_answer_that_cannot_be_shared_lets_all_go_alone() -> None:
    flights: Flights[str] = Flights()
    tasks = await waiting(flights, 3)
    flights.land("n", None)
    assert await asyncio.gather(*tasks) == [Turn.ALONE] * 3
    assert await flights.enter("n", LONG) is Turn.LEAD


async def test_when_the_leader_comes_to_nothing_the_next_leads_and_the_others_wait_for_it() -> None:
    flights: Flights[str] = Flights()
    first, *others = await waiting(flights, 3)
    flights.hand_over("n")
    assert await first is Turn.LEAD
    assert not any(task.done() for task in others)
    flights.land("n", "answer")
    assert await asyncio.gather(*others) == ["answer"] * 2


async def test_a_leader_without_followers_leaves_nothing_behind() -> None:
    flights: Flights[str] = Flights()
    await waiting(flights, 0)
    flights.hand_over("n")
    assert not len(flights)


@pytest.mark.parametrize("seconds", [0.0, LONG], ids=["waited long enough", "left"])
async def test_nobody_is_remembered_who_waits_no_more_however_long_the_first_takes(seconds: float) -> None:
    flights: Flights[str] = Flights()
    tasks = await waiting(flights, 3, seconds)
    if seconds:
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    assert flights.waiting == 0
    assert not flights._waiting["n"]
    assert len(flights) == 1


async def test_who_has_waited_long_enough_is_told_so_and_is_not_called_again() -> None:
    flights: Flights[str] = Flights()
    (late,) = await waiting(flights, 1, seconds=0.0)
    assert await late is Turn.LATE
    (after,) = [asyncio.create_task(flights.enter("n", LONG))]
    await asyncio.sleep(0)
    flights.hand_over("n")
    assert await after is Turn.LEAD


@pytest.mark.parametrize("chosen_before", [False, True])
async def test_a_follower_that_goes_away_passes_its_turn_on(chosen_before: bool) -> None:
    flights: Flights[str] = Flights()
    first, second = await waiting(flights, 2)
    if chosen_before:
        flights.hand_over("n")
        first.cancel()
    else:
        first.cancel()
        await asyncio.sleep(0)
        flights.hand_over("n")
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is Turn.LEAD
