"""Builders for the tests of the cache room: a room over a store in memory, whose clock a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from multidict import CIMultiDict

from fairlead_contract.decision import CanaryAssignment, Usage
from fairlead_contract.fragments import Cache, PolicyFragment
from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.open import open_reuse
from fairlead_router.cache.question import Question
from fairlead_router.cache.reuse import Reuse
from fairlead_router.config.table import PolicyEntry
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.selection import select
from fairlead_router.settings import Settings
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import StateStore
from tests.router.builders import a_policy, a_provider, a_target, a_workspace, linked, some_facts, view

ANSWER = b'{"choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}]}'
USAGE = Usage(input_tokens=10, output_tokens=5)
KEY = "k" * 32


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Room:
    """A room of the cache, and what a test looks at."""

    store: StateStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    shared: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    counts: CacheCounts = field(default_factory=CacheCounts)

    def __post_init__(self) -> None:
        settings = Settings(**({"cache_key": KEY, "cache_store_seconds": 5.0} | self.settings))
        self.reuse: Reuse = open_reuse(
            settings, self.store, self.counts, shared=self.shared, clock=self.clock, wall=self.clock
        )

    def count(self, name: str, label: str) -> float:
        """One counter, as it is exposed."""
        return sum(
            sample.value
            for family in self.counts.collect()
            for sample in family.samples
            if sample.name == f"{name}_total" and label in sample.labels.values()
        )

    async def answer(
        self, question: Question, model: str = "team-a/openai/small", body: bytes = ANSWER
    ) -> bytes | None:
        """Ask; where nothing is kept, a provider answers ``body``, and ``None`` is returned once that is kept."""
        ticket = self.reuse.ticket(question)
        try:
            kept = await ticket.lookup()
            if kept is not None:
                return kept.body
            ticket.answered(model, USAGE, body)
            return None
        finally:
            ticket.close()
            await self.reuse.close()


def a_cached_policy(ttl: int = 600, **fields: Any) -> PolicyFragment:
    """A policy with a cache, and one target."""
    return a_policy(**({"targets": (a_target(),), "cache": Cache(ttl)} | fields))


def entry_of(policy: PolicyFragment | None = None, **provider: Any) -> PolicyEntry:
    """``policy`` in a table with the provider of its target."""
    return linked(policy or a_cached_policy(), a_provider(**provider))


def a_question(
    body: dict[str, Any] | None = None,
    *,
    entry: PolicyEntry | None = None,
    workspace: str = "ws",
    subject: str | None = None,
    allowed: Any = None,
    canary: CanaryAssignment | None = None,
    **headers: str,
) -> Question:
    """A chat request that has been decided by ``entry``."""
    entry = entry or entry_of()
    sent = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]} | (body or {})
    request = parse_chat_request(msgspec.json.encode(sent))
    facts = some_facts(workspace=workspace, subject=subject)
    rules = None if allowed is None else a_workspace(workspace, allowed_models=tuple(allowed))
    selection = select(entry, facts, rules, view(), KeyedDraws(b"k" * 32), decision_id="d", now=0.0)
    if canary is not None:
        selection = msgspec.structs.replace(selection, canary=canary)
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Question(workspace, subject, named, request, entry, selection)
