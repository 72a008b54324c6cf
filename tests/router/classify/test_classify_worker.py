"""The line in front of who learned: what is taken together, and who gives way."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence

from fairlead_contract.decision import ClassificationFallback
from fairlead_learning.verdict import LearnedVerdict
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.rules import look
from fairlead_router.classify.worker import Task, Worker, give_way
from tests.router.classify.classify_parts import HeldLearned, some_rules, until

Answer = LearnedVerdict | ClassificationFallback


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowLearned(HeldLearned):
    """Each text takes so many seconds by the clock of the test."""

    def __init__(self, clock: Clock, seconds: float, *, held: bool = False) -> None:
        super().__init__(held=held)
        self._clock, self._seconds = clock, seconds

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        self._clock.now += self._seconds * len(texts)
        return super().classify(texts)


class Bench:
    """A worker, and what became of each text."""

    def __init__(self, *, batch_seconds: float = 1.0, max_batch: int = 16) -> None:
        self.clock = Clock()
        self.ended: dict[str, Answer] = {}
        self.worker = Worker(
            max_waiting=1000,
            max_batch=max_batch,
            batch_seconds=batch_seconds,
            clock=self.clock,
            counts=ClassifierCounts(),
            ended=lambda task, answer: self.ended.__setitem__(task.look.text, answer),
        )

    def submit(self, text: str, learned: HeldLearned, due: float = 1000.0) -> Task:
        answer = asyncio.get_running_loop().create_future()
        task = Task(text.encode(), look(some_rules(), text), learned, due, answer)
        assert self.worker.submit(task)
        return task

    async def finish(self, count: int) -> None:
        await until(lambda: len(self.ended) == count)
        await self.worker.close()


async def test_what_waits_when_the_thread_is_free_is_taken_together_but_no_more_than_a_batch() -> None:
    bench, learned = Bench(max_batch=3), HeldLearned(held=True)
    for text in "abcdefg":
        bench.submit(text, learned)
    learned.let_go()
    await bench.finish(7)
    assert learned.batches == [["a"], ["b", "c", "d"], ["e", "f", "g"]]


async def test_a_batch_is_so_short_that_it_takes_no_longer_than_it_may() -> None:
    bench = Bench(batch_seconds=0.1)
    slow = SlowLearned(bench.clock, 0.04)
    for number in range(40):
        bench.submit(f"{number}", slow)
    await bench.finish(40)
    assert max(len(batch) for batch in slow.batches) == 2


async def test_texts_of_two_classifiers_are_not_taken_together() -> None:
    bench, old, new = Bench(), HeldLearned("old", held=True), HeldLearned("new")
    for text, learned in [("a", old), ("b", old), ("c", new), ("d", old)]:
        bench.submit(text, learned)
    old.let_go()
    await bench.finish(4)
    assert (old.batches, new.batches) == ([["a"], ["b"], ["d"]], [["c"]])


async def test_a_text_that_would_be_late_gives_its_place_to_one_that_would_not() -> None:
    bench = Bench()
    learned = SlowLearned(bench.clock, 1.0, held=True)
    bench.submit("running", learned)
    bench.submit("late", learned, due=bench.clock.now + 0.5)
    bench.submit("in time", learned, due=bench.clock.now + 500)
    learned.let_go()
    await bench.finish(3)
    assert learned.asked == ["running", "in time"]
    assert bench.ended["late"] is ClassificationFallback.DEADLINE_EXCEEDED


async def test_a_text_whose_batch_would_end_too_late_is_not_taken_into_it() -> None:
    bench = Bench(batch_seconds=10.0)
    learned = SlowLearned(bench.clock, 1.0, held=True)
    bench.submit("running", learned)
    bench.submit("late", learned, due=bench.clock.now + 4)
    for number in range(3):
        bench.submit(f"in time {number}", learned, due=bench.clock.now + 500)
    learned.let_go()
    await bench.finish(5)
    assert learned.batches[1:] == [["in time 0", "in time 1", "in time 2"]], "all of a batch are answered at its end"
    assert bench.ended["late"] is ClassificationFallback.DEADLINE_EXCEEDED


class Panic(BaseException):
    """What a defect in a library written in Rust raises."""


async def test_a_library_that_panics_has_failed_and_is_asked_again() -> None:
    class Panicking(HeldLearned):
        def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
            if texts == ["panic"]:
                raise Panic
            return super().classify(texts)

    bench, learned = Bench(), Panicking()
    bench.submit("panic", learned)
    await until(lambda: "panic" in bench.ended)
    bench.submit("calm", learned)
    await bench.finish(2)
    assert bench.ended["panic"] is ClassificationFallback.FAILED
    assert learned.asked == ["calm"]


async def test_a_line_that_is_closed_takes_nobody_and_tells_nobody_of_the_batch_under_way() -> None:
    bench, learned = Bench(), HeldLearned(held=True)
    task = bench.submit("running", learned)
    await until(learned.begun.is_set)
    closing = asyncio.create_task(bench.worker.close())
    await asyncio.sleep(0)
    assert not bench.worker.submit(task)
    learned.let_go()
    await closing
    await asyncio.sleep(0)
    assert bench.ended == {}


def test_a_text_does_not_show_in_what_asyncio_logs_of_a_callback() -> None:
    seen = look(some_rules(), "a secret text of somebody")
    loop = asyncio.new_event_loop()
    task = Task(b"", seen, HeldLearned(), 0.0, loop.create_future())
    loop.close()
    assert "secret" not in repr(task)


async def test_the_last_in_line_is_tried_however_slow_the_ones_before_were() -> None:
    bench = Bench()
    slow = SlowLearned(bench.clock, 30.0)
    bench.submit("slow", slow)
    await until(lambda: "slow" in bench.ended)
    bench.submit("only", slow, due=bench.clock.now + 1)
    await bench.finish(2)
    assert slow.asked == ["slow", "only"]


async def test_a_text_that_was_withdrawn_never_ends() -> None:
    bench, learned = Bench(), HeldLearned(held=True)
    bench.submit("running", learned)
    bench.worker.withdraw(bench.submit("gone", learned))
    learned.let_go()
    await bench.finish(1)
    assert (learned.asked, list(bench.ended)) == (["running"], ["running"])


async def test_a_classifier_that_answers_for_fewer_texts_than_it_was_given_has_failed() -> None:
    class Short(HeldLearned):
        def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
            return super().classify(texts)[1:]

    bench = Bench()
    bench.submit("a", Short())
    await bench.finish(1)
    assert bench.ended["a"] is ClassificationFallback.FAILED


def test_only_the_thread_that_gives_way_gives_way() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    found: list[int] = []

    def run() -> None:
        give_way()
        found.append(niceness())

    thread = threading.Thread(target=run)
    before = niceness()
    thread.start()
    thread.join()
    # Elsewhere priorities belong to processes, and that of this one must stay.
    assert found == [min(19, before + 5) if sys.platform == "linux" else before]
    assert niceness() == before
