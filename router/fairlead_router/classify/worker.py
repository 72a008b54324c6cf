"""One thread that asks the learned classifier, a few texts at a time, and the line of texts that wait for it.

Everything but the call itself happens on the event loop, so nothing is locked and a text can leave the line at any time.
The thread takes what is waiting when it is free and never waits for more to come. A batch is kept short, since all of its
texts are answered at its end; and a text that could no longer be answered in time gives its place to one that can, or else
under load every text would be answered a little too late.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from fairlead_contract.decision import Classification, ClassificationFallback
from fairlead_learning.verdict import Learned, LearnedVerdict
from fairlead_router.classify.complaints import Complaints
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.rules import FirstLook

_NICENESS = 5
"""How much the thread gives way to the event loop where they compete for a core (Linux keeps this for each thread)."""

_SMOOTHING = 0.2
"""Weight of the newest batch in the running mean of the time that a text takes."""

_NO_TIME = 1e-6
"""What a text is thought to take before anything was measured, in seconds."""

_MARGIN = 2.0
"""How many times as long as expected a batch may take, and its texts should still be answered in time. Texts differ in
length; without a margin those that have waited longest take the places, and half of them are late all the same."""


@dataclass(slots=True, eq=False)
class Task:
    """One text on its way through the learned classifier, for all who wait for it."""

    name: bytes
    """The keyed hash of the text."""
    look: FirstLook
    learned: Learned
    """Who was in force when it came: it is answered by that one, whatever is loaded meanwhile."""
    due: float
    """Monotonic seconds at which the last of those who wait goes away."""
    answer: asyncio.Future[Classification | ClassificationFallback]
    waiters: int = 0
    begun: bool = False
    """It can no longer be taken out of the line."""


class Worker:
    """The thread and its line."""

    def __init__(
        self,
        *,
        max_waiting: int,
        max_batch: int,
        batch_seconds: float,
        clock: Callable[[], float],
        counts: ClassifierCounts,
        ended: Callable[[Task, LearnedVerdict | ClassificationFallback], None],
    ) -> None:
        """``batch_seconds``: how long a batch may take; ``ended`` hears, on the loop, of every task that was submitted,
        and never raises."""
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._batch_seconds = batch_seconds
        self._clock = clock
        self._counts = counts
        self._ended = ended
        self._waiting: dict[Task, None] = {}
        self._busy = False
        self._seconds_per_text: float | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="classifier", initializer=give_way)
        self._complaints = Complaints(clock)
        self._closed = False

    @property
    def waiting(self) -> int:
        """Texts in line."""
        return len(self._waiting)

    def submit(self, task: Task) -> bool:
        """Put ``task`` in line; false if the line is full, or closed."""
        if self._closed or len(self._waiting) >= self._max_waiting:
            return False
        self._waiting[task] = None
        self._begin()
        return True

    def withdraw(self, task: Task) -> None:
        """Nobody waits for ``task`` any more: it leaves the line, if it is still there, and never ends."""
        self._waiting.pop(task, None)

    async def close(self) -> None:
        """Wait for the batch under way, of which nobody hears any more, and begin no other."""
        self._closed = True
        self._waiting.clear()
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)

    def _begin(self) -> None:
        if self._busy or not self._waiting:
            return
        batch = self._take()
        self._busy = True
        self._counts.batch(len(batch))
        self._executor.submit(self._run, asyncio.get_running_loop(), batch)

    def _take(self) -> list[Task]:
        """The next batch: at least one text, all of the same classifier."""
        expected = self._seconds_per_text or _NO_TIME
        size = max(1, min(self._max_batch, int(self._batch_seconds / expected)))
        # All texts of a batch are answered at its end.
        hopeless_before = self._clock() + _MARGIN * expected * min(size, len(self._waiting))
        batch: list[Task] = []
        for task in list(self._waiting):
            if len(batch) == size or (batch and task.learned is not batch[0].learned):
                break
            del self._waiting[task]
            # The last in line is always tried: that is how a wrong idea of the time it takes gets mended.
            if task.due < hopeless_before and (self._waiting or batch):
                self._ended(task, ClassificationFallback.DEADLINE_EXCEEDED)
                continue
            task.begun = True
            batch.append(task)
        return batch

    def _run(self, loop: asyncio.AbstractEventLoop, batch: list[Task]) -> None:
        """In the thread."""
        began = self._clock()
        answers: list[LearnedVerdict] | BaseException
        try:
            answers = batch[0].learned.classify([task.look.text for task in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(batch)} texts got {len(answers)} verdicts")
        except BaseException as error:  # noqa: BLE001 - whatever a bundle brings about; a panic in Rust is no Exception
            answers = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._deliver, batch, answers, self._clock() - began)

    def _deliver(self, batch: list[Task], answers: list[LearnedVerdict] | BaseException, seconds: float) -> None:
        if self._closed:
            return
        self._busy = False
        known, found = self._seconds_per_text, seconds / len(batch)
        self._seconds_per_text = found if known is None else known + _SMOOTHING * (found - known)
        self._begin()
        if isinstance(answers, BaseException):
            self._complaints.complain("the learned classifier failed, the rules decide", answers)
            for task in batch:
                self._ended(task, ClassificationFallback.FAILED)
            return
        for task, verdict in zip(batch, answers, strict=True):
            self._ended(task, verdict)


def give_way() -> None:
    """Lower the priority of the calling thread. Only where that leaves the process's other threads alone: on Linux."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))
