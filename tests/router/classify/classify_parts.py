"""A classifier whose two halves a test can steer: rules that know one word, and a learned half that can be held up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from fairlead_learning.rules.rule import Rule
from fairlead_learning.rules.rulebook import compiled
from fairlead_learning.verdict import LearnedVerdict
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.kept import Kept
from fairlead_router.classify.rules import Rules
from fairlead_router.classify.service import ClassifierService, Limits
from fairlead_router.state.store import StateStore

LABELS = ("coding", "math", "chat")
KEY = b"k" * 32
SURE, UNSURE = "python, please", "what of it"
"""Texts that the rules below are sure and not sure of."""


async def until(holds: Callable[[], bool]) -> None:
    """Let others have their turns until ``holds``."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


def some_rules(word: str = "python", digest: bytes = b"") -> Rules:
    rule = Rule(name=f"coding.{word}", category="coding", score=0.99, phrases=(word,))
    return Rules(compiled((rule,), (), dict.fromkeys(LABELS, 1.0)), digest)


class HeldLearned:
    """Says ``math`` of everything, once it is let; notes the batches that it was given."""

    labels = LABELS
    model = "some-encoder"

    def __init__(self, digest: str = "sha256:first", *, held: bool = False) -> None:
        self.digest = digest
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.begun = threading.Event()
        self._go = threading.Event()
        if not held:
            self._go.set()

    @property
    def asked(self) -> list[str]:
        return [text for batch in self.batches for text in batch]

    def let_go(self) -> None:
        self._go.set()

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        self.batches.append(list(texts))
        self.threads.add(threading.get_ident())
        self.begun.set()
        assert self._go.wait(10), "a test holds it and forgot it"
        if self.error is not None:
            raise self.error
        return [LearnedVerdict((0.05, 0.9, 0.05), ("math",)) for _ in texts]


def a_service(
    learned: HeldLearned | None = None,
    *,
    store: StateStore | None = None,
    counts: ClassifierCounts | None = None,
    rules: Rules | None = None,
    clock: Callable[[], float] = time.monotonic,
    **limits: Any,
) -> ClassifierService:
    """With ten seconds to answer in, unless a test says otherwise."""
    kept = Kept(KEY, store, ttl_seconds=3600, clock=clock, wall=time.time)
    service = ClassifierService(
        rules or some_rules(),
        kept,
        counts or ClassifierCounts(),
        limits=Limits(**({"deadline_seconds": 10.0} | limits)),
        clock=clock,
    )
    if learned is not None:
        service.use_learned(learned)
    return service
