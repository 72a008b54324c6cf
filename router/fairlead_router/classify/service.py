"""Classifies: rules first, on the event loop; where they are not sure, whoever learned, within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_learning.verdict import Learned, LearnedVerdict
from fairlead_router.classify.complaints import Complaints
from fairlead_router.classify.counts import ClassifierCounts, Found
from fairlead_router.classify.info import ClassifierInfo, ClassifierState
from fairlead_router.classify.kept import Kept
from fairlead_router.classify.remote import RemoteClassifier
from fairlead_router.classify.rules import THRESHOLDS, FirstLook, Learnt, Rules, look, settle
from fairlead_router.classify.worker import Task, Worker
from fairlead_router.dialect.openai_texts import excerpt

_BATCH_SHARE = 0.25
"""A batch takes at most this share of the deadline: who came just after it began has time left for the next."""

_WORTH_WAITING_SECONDS = 0.5
"""Who has so much time, as those who ask about a text have and requests on their way have not, waits for a bundle to load."""

_COMING = frozenset({ClassifierState.NOT_LOADED, ClassifierState.LOADING})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a classification may take."""

    deadline_seconds: float = 0.05
    queue: int = 256
    batch: int = 16


class ClassifierService:
    """A :class:`~fairlead_router.classify.classifier.Classifier`. One per process; made inside a running loop.

    By itself it has rules alone. Whoever loads bundles puts ``learned`` in force, and replaces it; what is under way ends
    with the one it began with.
    """

    def __init__(
        self,
        rules: Rules,
        kept: Kept,
        counts: ClassifierCounts,
        *,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.rules = rules
        self.learned: Learned | None = None
        self._opened_with = b""
        self._arrived = asyncio.Event()
        self.remote: RemoteClassifier | None = None
        """Who is asked instead of ``learned``."""
        self.want: Callable[[], None] = _nothing
        """Told when somebody would ask who learned: that is when a bundle is loaded."""
        self.state: Callable[[], ClassifierState] = _rules_only
        """How loading it fares."""
        self._kept = kept
        self._counts = counts
        self._limits = limits
        self._clock = clock
        self._under_way: dict[bytes, Task] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._complaints = Complaints(clock)
        self._worker = Worker(
            max_waiting=limits.queue,
            max_batch=limits.batch,
            batch_seconds=limits.deadline_seconds * _BATCH_SHARE,
            clock=clock,
            counts=counts,
            ended=self._ended,
        )

    @property
    def waiting(self) -> int:
        """Texts in line for the learned classifier."""
        return self._worker.waiting

    def bundles(self) -> tuple[str, ...]:
        """Digests of the bundles in force: one or none."""
        return () if self.learned is None else (self.learned.digest,)

    def use_learned(self, learned: Learned, opened_with: bytes = b"") -> None:
        """Put ``learned`` in force; ``opened_with`` tells it from others of its bundle: its examples, its error rate."""
        self.learned, self._opened_with = learned, opened_with
        self._arrived.set()

    def use_rules(self, rules: Rules) -> None:
        """Put ``rules`` in force."""
        self.rules = rules

    async def wake(self, seconds: float) -> None:
        """Have the learned classifier loaded, if there is one, and wait for it at most so long."""
        self.want()
        if self.remote is None and self.learned is None and self.state() in _COMING:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()

    def info(self) -> ClassifierInfo:
        """How it stands."""
        learned = self.learned
        return ClassifierInfo(
            state=self.state(),
            categories=tuple(
                dict.fromkeys((*self.rules.book.categories, *(() if learned is None else learned.labels)))
            ),
            bundle_digest=None if learned is None else learned.digest,
            model=None if learned is None else learned.model,
            rule_threshold=THRESHOLDS.rules,
            learned_threshold=THRESHOLDS.learned,
            deadline_seconds=self._limits.deadline_seconds,
            waiting=self.waiting,
        )

    async def classify(self, text: str, *, deadline_seconds: float | None = None) -> Classification:
        """See the interface. Of a long text its head and its tail are looked at."""
        began = self._clock()
        due = began + (self._limits.deadline_seconds if deadline_seconds is None else deadline_seconds)
        rules, learned = self.rules, self.learned
        text = excerpt((text,))
        name = self._name(text, rules, learned)
        said = self._kept.find(name)
        if said is None:
            said = await self._first(name, text, rules, learned, began, due)
        elif said.path is not ClassificationPath.RULES or said.probabilities:
            self._counts.found(Found.PROCESS)
            said = msgspec.structs.replace(said, cached=True)
        said = msgspec.structs.replace(said, microseconds=round((self._clock() - began) * 1_000_000))
        self._counts.classified(said)
        return said

    async def close(self) -> None:
        """End what is under way. Who asks from now on hears from the rules."""
        self.learned = self.remote = None
        for task in list(self._under_way.values()):
            self._land(task, ClassificationFallback.ENCODER_ABSENT)
        for each in self._background:
            each.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._worker.close()

    async def _first(
        self, name: bytes, text: str, rules: Rules, learned: Learned | None, began: float, due: float
    ) -> Classification:
        """Of a text that was not seen lately."""
        seen = self._look(rules, text)
        if seen.sure:
            said = settle(seen, None, None)
            self._kept.keep(name, said)
            return said
        patience = due - self._clock()
        if learned is not None or patience < _WORTH_WAITING_SECONDS:
            self.want()
        else:
            await self.wake(patience)
            if (learned := self.learned) is not None:
                name = self._name(text, rules, learned)
        answer: Classification | ClassificationFallback
        if self.remote is not None:
            answer = await self.remote.classify(text, due - self._clock())
        elif learned is None:
            answer = ClassificationFallback.ENCODER_ABSENT
        else:
            answer = await self._ask(name, seen, learned, due)
        return answer if isinstance(answer, Classification) else settle(seen, None, answer)

    def _name(self, text: str, rules: Rules, learned: Learned | None) -> bytes:
        bundle = b"" if learned is None else learned.digest.encode() + b"\0" + self._opened_with
        return self._kept.name(text, bundle, rules.digest)

    def _look(self, rules: Rules, text: str) -> FirstLook:
        try:
            return look(rules, text)
        except Exception as error:  # noqa: BLE001 - no text may take a request down; the error's words may quote it
            self._complaints.complain("the rules failed, which is a defect of fairlead", error)
            return look(rules, "")

    async def _ask(
        self, name: bytes, seen: FirstLook, learned: Learned, due: float
    ) -> Classification | ClassificationFallback:
        """Wait for the learned classifier, with all others that wait for the same text."""
        task = self._under_way.get(name)
        if task is None:
            answer = asyncio.get_running_loop().create_future()
            task = self._under_way[name] = Task(name, seen, learned, due, answer)
            self._start(task)
        else:
            self._counts.found(Found.SHARED)
            task.due = max(task.due, due)
        task.waiters += 1
        try:
            await asyncio.wait((task.answer,), timeout=max(0.0, due - self._clock()))
        finally:
            task.waiters -= 1
            if not task.waiters and not task.begun and not task.answer.done():
                # Nobody waits, and it has cost nothing yet. What has begun goes on: the next to ask finds its answer.
                self._worker.withdraw(task)
                del self._under_way[name]
                task.answer.cancel()
        return task.answer.result() if _answered(task) else ClassificationFallback.DEADLINE_EXCEEDED

    def _start(self, task: Task) -> None:
        if self._kept.shares:
            self._spawn(self._look_up(task))
        else:
            self._submit(task)

    async def _look_up(self, task: Task) -> None:
        verdict = await self._kept.fetch(task.name, task.learned)
        if task.answer.done():
            return
        if verdict is None:
            self._submit(task)
        else:
            self._counts.found(Found.STORE)
            self._land(task, self._said(task, verdict, kept=True))

    def _submit(self, task: Task) -> None:
        self._counts.found(Found.MISS)
        if not self._worker.submit(task):
            self._land(task, ClassificationFallback.QUEUE_FULL)

    def _ended(self, task: Task, answer: LearnedVerdict | ClassificationFallback) -> None:
        if isinstance(answer, ClassificationFallback):
            self._land(task, answer)
            return
        said = self._said(task, answer)
        self._land(task, said)
        if self._kept.shares and isinstance(said, Classification):
            self._spawn(self._kept.share(task.name, answer, task.learned))

    def _said(
        self, task: Task, verdict: LearnedVerdict, *, kept: bool = False
    ) -> Classification | ClassificationFallback:
        try:
            said = settle(task.look, Learnt(verdict, task.learned.labels, task.learned.digest, kept), None)
        except Exception as error:  # noqa: BLE001 - those who wait for it, and for the rest of its batch, must hear of it
            self._complaints.complain("a verdict of the learned classifier makes no sense", error)
            return ClassificationFallback.FAILED
        self._kept.keep(task.name, said)
        return said

    def _land(self, task: Task, answer: Classification | ClassificationFallback) -> None:
        if self._under_way.get(task.name) is task:
            del self._under_way[task.name]
        if not task.answer.done():
            task.answer.set_result(answer)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _nothing() -> None:
    """Nobody loads anything."""


def _rules_only() -> ClassifierState:
    return ClassifierState.RULES_ONLY


def _answered(task: Task) -> bool:
    return task.answer.done() and not task.answer.cancelled()
