"""Changes that come together are compiled together, and none waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_operator.debounce import Debounce

QUIET, LONGEST = 0.02, 0.1


def debounce() -> Debounce:
    return Debounce(QUIET, LONGEST, clock=asyncio.get_running_loop().time)


async def seconds_until_settled(waiting: Debounce) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    await waiting.settled()
    return clock() - started


async def test_nothing_settles_while_nothing_changes() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * LONGEST):
            await debounce().settled()


async def test_a_change_settles_after_the_quiet_time_and_counts_once() -> None:
    waiting = debounce()
    waiting.mark()
    waiting.mark()
    assert await seconds_until_settled(waiting) >= QUIET * 0.9
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * LONGEST):
            await waiting.settled()


async def test_changes_without_a_pause_do_not_put_it_off_for_ever() -> None:
    waiting = debounce()

    async def edit_without_end() -> None:
        while True:
            waiting.mark()
            await asyncio.sleep(QUIET / 10)

    editing = asyncio.create_task(edit_without_end())
    try:
        assert await seconds_until_settled(waiting) >= QUIET
    finally:
        editing.cancel()


async def test_a_change_after_it_settled_counts_anew() -> None:
    waiting = debounce()
    for _ in range(3):
        waiting.mark()
        assert await seconds_until_settled(waiting) >= QUIET * 0.9
