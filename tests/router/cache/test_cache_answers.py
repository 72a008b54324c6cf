"""The response cache over a store in memory: who is given which answer again, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict

from fairlead_contract.decision import CacheResult, CanaryAssignment, Removal, RemovedBy
from fairlead_contract.fragments import Cache, Endpoint
from fairlead_router.cache.question import Directives, Question
from fairlead_router.cache.reuse import Limits, Reuse
from fairlead_router.settings import SettingError
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import StoreUnavailable
from tests.router.builders import a_model, a_target, key, ref
from tests.router.cache.cache_parts import ANSWER, USAGE, Room, a_cached_policy, a_question, entry_of

BASE = a_question()
CANARY_ONLY = CanaryAssignment(model=key(), weight_percent=5, assigned=False)


def held_on(canary: CanaryAssignment) -> Question:
    """A question whose user affinity holds on the canary: it is not drawn, and yet it is asked."""
    question = a_question(canary=canary)
    return replace(question, selection=msgspec.structs.replace(question.selection, affinity=canary.model))


def removed(by: RemovedBy) -> Question:
    """A question whose only candidate was taken out."""
    question = a_question()
    out = Removal(by=by, message="")
    candidates = tuple(msgspec.structs.replace(each, removed=out) for each in question.selection.candidates)
    return replace(question, selection=msgspec.structs.replace(question.selection, candidates=candidates, plan=()))


OTHERS: list[tuple[str, Question]] = [
    ("another workspace", a_question(workspace="other")),
    ("another policy", a_question(entry=entry_of(a_cached_policy(name="second")))),
    ("another word", a_question({"messages": [{"role": "user", "content": "ho"}]})),
    ("a newer generation of the provider", a_question(entry=entry_of(generation=2))),
    ("a provider made anew", a_question(entry=entry_of(uid="another"))),
    (
        "another model behind the name, in files that count generations anew",
        a_question(entry=entry_of(models=(a_model(upstream_name="other"),))),
    ),
    (
        "another address, in files that count generations anew",
        a_question(entry=entry_of(endpoints=(Endpoint("primary", "https://elsewhere.example/v1"),))),
    ),
    ("held on the canary by affinity", held_on(CANARY_ONLY)),
    (
        "one model more to choose from",
        a_question(
            entry=entry_of(
                a_cached_policy(targets=(a_target(), a_target("big", "big"))), models=(a_model(), a_model("big"))
            )
        ),
    ),
    ("the canary's share", a_question(canary=CanaryAssignment(model=key(), weight_percent=5, assigned=True))),
    ("a stream", a_question({"stream": True})),
]

SAME: list[tuple[str, Question]] = [
    ("the same again", a_question()),
    ("another subject of the workspace", a_question(subject="someone")),
    ("a later generation of the policy", a_question(entry=entry_of(a_cached_policy(generation=7, priority=3)))),
    ("not the canary's share", a_question(canary=CanaryAssignment(model=key(), weight_percent=5, assigned=False))),
]


@pytest.mark.parametrize("question", [pytest.param(each, id=name) for name, each in SAME])
async def test_the_same_question_is_answered_again(question: Question) -> None:
    room = Room()
    assert await room.answer(BASE) is None
    assert await room.answer(question) == ANSWER
    assert room.count("fairlead_cache_requests", "hit") == 1
    assert room.count("fairlead_cache_requests", "miss") == 1
    assert room.count("fairlead_cache_bytes", "stored") == len(ANSWER)
    assert room.count("fairlead_cache_bytes", "served") == len(ANSWER)


@pytest.mark.parametrize("question", [pytest.param(each, id=name) for name, each in OTHERS])
async def test_another_question_is_not(question: Question) -> None:
    room = Room()
    assert await room.answer(BASE) is None
    assert await room.answer(question) is None


async def test_an_answer_is_given_until_its_time_is_over() -> None:
    room = Room()
    await room.answer(BASE)
    room.clock.now += 599
    assert await room.answer(BASE) == ANSWER
    room.clock.now += 1
    assert await room.answer(BASE) is None


async def test_a_policy_that_became_stricter_has_its_way_at_once() -> None:
    room = Room()
    await room.answer(BASE)
    room.clock.now += 100
    stricter = a_question(entry=entry_of(a_cached_policy(ttl=100)))
    assert await room.answer(stricter) is None


async def test_the_answer_of_a_model_that_the_workspace_may_no_longer_use_is_not_given() -> None:
    room = Room()
    await room.answer(BASE)
    assert await room.answer(a_question(allowed=[ref("other")])) is None
    assert await room.answer(a_question(allowed=[ref()])) == ANSWER


@pytest.mark.parametrize("by", list(RemovedBy))
async def test_an_answer_is_given_while_its_model_is_away_and_not_when_it_may_not_be_used(by: RemovedBy) -> None:
    room = Room()
    await room.answer(BASE)
    away = by in {RemovedBy.CIRCUIT_BREAKER, RemovedBy.HEALTH}
    assert await room.answer(removed(by)) == (ANSWER if away else None)


async def test_whoever_left_while_waiting_for_the_answer_to_another_has_waited_and_not_worked() -> None:
    room = Room()
    first, second = room.reuse.ticket(BASE), room.reuse.ticket(BASE)
    assert await first.lookup() is None
    looking = asyncio.create_task(second.lookup())
    await asyncio.sleep(0)
    room.clock.now += 5
    looking.cancel()
    await asyncio.wait((looking,))
    assert second.waited == 5
    for ticket in (second, first):
        ticket.close()
    await room.reuse.close()


async def test_the_answer_of_a_model_that_is_no_candidate_is_not_given() -> None:
    room = Room()
    await room.answer(BASE, model="team-a/openai/gone")
    assert await room.answer(BASE) is None


DIRECTIVES = [
    ("no-cache", "bypass", True),
    ("max-age=0, No-Cache", "bypass", True),
    ("no-store", "bypass", False),
    ("no-cache, no-store", "bypass", False),
    ("max-age=0", "hit", True),
]


@pytest.mark.parametrize(("said", "result", "keeps"), DIRECTIVES)
async def test_a_client_may_go_past_the_cache(said: str, result: str, keeps: bool) -> None:
    room = Room()
    if result == "hit":
        await room.answer(BASE)
    given = await room.answer(a_question(cache_control=said))
    assert (given == ANSWER) == (result == "hit")
    assert room.count("fairlead_cache_requests", result) == 1
    assert (await room.answer(BASE) == ANSWER) == keeps


def test_what_a_client_says_in_several_headers_counts_as_if_it_were_in_one() -> None:
    said = Directives.of(CIMultiDict([("Cache-Control", "max-age=0"), ("cache-control", "no-store")]))
    assert said == Directives(fresh=True, unkept=True)


async def test_no_cache_puts_a_newer_answer_in_the_place_of_the_old() -> None:
    room = Room()
    newer = ANSWER.replace(b"hello", b"newer")
    await room.answer(BASE)
    assert await room.answer(a_question(cache_control="no-cache"), body=newer) is None
    assert await room.answer(BASE) == newer


UNKEPT: list[tuple[str, bytes]] = [
    ("filtered", ANSWER.replace(b'"stop"', b'"content_filter"')),
    ("without an end", ANSWER.replace(b'"stop"', b"null")),
    ("too large", ANSWER.replace(b"hello", b"x" * 1000)),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in UNKEPT])
async def test_an_answer_that_is_incomplete_or_too_large_is_not_kept(body: bytes) -> None:
    room = Room(settings={"cache_max_entry_bytes": 1000})
    await room.answer(BASE, body=body)
    assert await room.answer(BASE) is None


async def test_a_policy_without_a_cache_keeps_nothing() -> None:
    room = Room()
    question = a_question(entry=entry_of(a_cached_policy(cache=None)))
    assert not room.reuse.wants(question.policy, question.headers)
    await room.answer(question)
    assert await room.answer(question) is None


async def test_an_entry_that_was_changed_or_moved_is_a_miss_and_counted() -> None:
    room = Room()
    store = room.store
    assert isinstance(store, MemoryStore)
    await room.answer(BASE)
    (name,) = store._values
    sealed = await store.get(name, now=room.clock())
    assert sealed is not None
    await store.put(name, sealed[:-1] + bytes([sealed[-1] ^ 1]), now=room.clock(), ttl_seconds=60)
    assert await room.answer(BASE) is None
    assert room.count("fairlead_cache_faults", "unreadable") == 1

    await room.answer(elsewhere := a_question(workspace="other"))
    other = next(each for each in store._values if each != name)
    await store.put(other, sealed, now=room.clock(), ttl_seconds=60)
    assert await room.answer(elsewhere) is None
    assert room.count("fairlead_cache_faults", "unreadable") == 2


async def test_after_a_change_of_keys_everything_is_a_miss() -> None:
    store = MemoryStore()
    await Room(store).answer(BASE)
    assert await Room(store, settings={"cache_key": "n" * 32}).answer(BASE) is None
    assert await Room(store).answer(BASE) == ANSWER


async def test_another_router_with_the_same_key_and_store_gives_the_answer() -> None:
    store = MemoryStore()
    await Room(store, shared=True).answer(BASE)
    assert await Room(store, shared=True).answer(BASE) == ANSWER


async def test_a_shared_store_without_a_key_of_all_keeps_nothing_and_says_so() -> None:
    room = Room(shared=True, settings={"cache_key": None})
    assert room.reuse.degraded is not None
    assert room.reuse.degraded.startswith("CacheKeyMissing: ")
    await room.answer(BASE)
    await room.answer(a_question(idempotency_key="k"))
    assert isinstance(room.store, MemoryStore)
    assert not room.store._values


async def test_a_store_of_one_process_needs_no_key_and_a_long_draw_key_serves_a_shared_one() -> None:
    assert Room(settings={"cache_key": None, "draw_key": "d"}).reuse.degraded is None
    assert Room(shared=True, settings={"cache_key": None, "draw_key": "d" * 32}).reuse.degraded is None
    guessable = Room(shared=True, settings={"cache_key": None, "draw_key": "d" * 31}).reuse
    assert guessable.degraded is not None
    assert guessable.answers is guessable.repeats is None


class AwayStore(MemoryStore):
    """A store that is not there."""

    asked = 0

    async def get(self, key: str, *, now: float) -> bytes | None:
        self.asked += 1
        raise StoreUnavailable

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        self.asked += 1
        raise StoreUnavailable


async def test_a_store_that_is_away_costs_nobody_an_answer_and_is_left_alone_for_a_second() -> None:
    store = AwayStore()
    room = Room(store)
    assert await room.answer(BASE) is None
    assert await room.answer(BASE) is None
    assert store.asked == 1
    assert room.count("fairlead_cache_faults", "unreachable") == 1
    room.clock.now += 1
    assert await room.answer(BASE) is None
    assert store.asked == 2


class SlowStore(MemoryStore):
    """A store that never answers."""

    async def get(self, key: str, *, now: float) -> bytes | None:
        await asyncio.Event().wait()
        return None


async def test_a_store_that_is_slow_costs_nobody_an_answer() -> None:
    room = Room(SlowStore(), settings={"cache_store_seconds": 0.01})
    assert await room.answer(BASE) is None
    assert room.count("fairlead_cache_faults", "slow") == 1


async def test_what_the_record_says_of_it() -> None:
    room = Room()
    await room.answer(BASE)
    room.clock.now += 42.7
    ticket = room.reuse.ticket(BASE)
    kept = await ticket.lookup()
    ticket.close()
    assert kept is not None
    assert (kept.model, kept.usage) == (key(), USAGE)
    assert ticket.used is not None
    assert (ticket.used.result, ticket.used.age_seconds) == (CacheResult.HIT, 42)
    assert ticket.headers()["x-fairlead-cache"] == "hit"
    await room.reuse.close()


async def test_names_and_values_in_the_store_show_nothing_of_request_or_answer() -> None:
    room = Room()
    await room.answer(
        a_question({"messages": [{"role": "user", "content": "canary-prompt"}]}, workspace="canary-workspace"),
        body=ANSWER.replace(b"hello", b"canary-answer"),
    )
    assert isinstance(room.store, MemoryStore)
    dump = repr(room.store._values)
    assert room.store._values
    assert "canary" not in dump
    assert "team-a" not in dump


def test_the_cache_of_a_policy_is_part_of_its_fragment() -> None:
    policy: Any = msgspec.json.decode(msgspec.json.encode(a_cached_policy()))
    assert policy["cache"] == {"ttlSeconds": 600}
    assert a_cached_policy().cache == Cache(600)


async def test_no_more_is_held_in_memory_than_may_be_and_all_of_it_is_given_back() -> None:
    room = Room()
    room.reuse = Reuse(
        room.reuse.answers,
        None,
        room.counts,
        Limits(max_entry_bytes=1000, max_repeat_bytes=0),
        wall=room.clock,
        max_held_bytes=100,
    )
    written: list[bytes] = []

    async def write(data: bytes) -> None:
        written.append(data)

    first = room.reuse.ticket(a_question({"stream": True}))
    second = room.reuse.ticket(a_question({"stream": True, "seed": 1}))
    for ticket in (first, second):
        assert await ticket.lookup() is None
    one, other = first.tee(write), second.tee(write)
    await one(b"x" * 60)
    await other(b"y" * 60)
    assert room.count("fairlead_cache_faults", "crowded") == 1
    first.close()
    assert room.reuse.take(100)
    room.reuse.give_back(100)
    second.answered("m", USAGE)
    second.close()
    await room.reuse.close()
    assert room.reuse.take(100)
    assert written == [b"x" * 60, b"y" * 60]


def test_a_key_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 32 + "\n")
    assert Room(shared=True, settings={"cache_key": None, "cache_key_file": file}).reuse.degraded is None


@pytest.mark.parametrize("content", [None, "short"], ids=["no file", "too short"])
def test_a_key_that_cannot_be_used_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingError, match="FAIRLEAD_CACHE_KEY_FILE"):
        Room(settings={"cache_key": None, "cache_key_file": file})
