"""A deadline ends the waiting of its own block, and of no other."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_router.dispatch.deadlines import Deadlines


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    deadlines = Deadlines()
    with deadlines.after(10):
        await asyncio.sleep(0)


async def test_a_block_that_waits_too_long_ends_in_a_timeout() -> None:
    deadlines = Deadlines()
    with pytest.raises(TimeoutError), deadlines.after(0):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_read_that_waits_too_long_ends_in_a_timeout() -> None:
    deadline = Deadlines().after(60, idle_seconds=0.01)
    deadline.reads, deadline.reading = 1, True
    with pytest.raises(TimeoutError), deadline:
        await asyncio.Event().wait()


async def test_silence_counts_only_while_the_block_reads() -> None:
    gate = asyncio.Event()
    with Deadlines().after(60, idle_seconds=0.01):
        asyncio.get_running_loop().call_later(0.2, gate.set)
        await gate.wait()


async def test_each_read_has_the_whole_of_the_silence_to_itself() -> None:
    loop = asyncio.get_running_loop()
    with Deadlines().after(60, idle_seconds=0.2) as deadline:
        for _ in range(6):
            gate = asyncio.Event()
            loop.call_later(0.05, gate.set)
            deadline.reads += 1
            deadline.reading = True
            await gate.wait()
            deadline.reading = False


async def test_of_two_nested_blocks_only_the_one_whose_time_has_passed_ends() -> None:
    deadlines = Deadlines()
    with deadlines.after(60):
        with pytest.raises(TimeoutError), deadlines.after(0):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), deadlines.after(0), deadlines.after(60):
        await asyncio.Event().wait()


async def test_a_task_cancelled_by_somebody_else_stays_cancelled() -> None:
    deadlines = Deadlines()
    waiting = asyncio.Event()

    async def wait() -> None:
        with deadlines.after(60):
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_exception_of_the_block_goes_on_unchanged() -> None:
    deadlines = Deadlines()
    with pytest.raises(ZeroDivisionError), deadlines.after(60):
        raise ZeroDivisionError


async def test_many_blocks_at_once_end_each_at_its_own_time() -> None:
    deadlines = Deadlines()
    gate = asyncio.Event()

    async def wait(seconds: float) -> str:
        try:
            with deadlines.after(seconds):
                await gate.wait()
        except TimeoutError:
            return "timed out"
        return "done"

    hasty = [asyncio.create_task(wait(0)) for _ in range(50)]
    patient = [asyncio.create_task(wait(60)) for _ in range(50)]
    assert set(await asyncio.gather(*hasty)) == {"timed out"}
    gate.set()
    assert set(await asyncio.gather(*patient)) == {"done"}
