"""Idempotency-Key over a store in memory: what runs, what waits, what is given again, what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fairlead_router.cache.question import Question
from fairlead_router.cache.ticket import Ticket
from fairlead_router.errors import RouterError
from fairlead_router.state.memory import MemoryStore
from tests.router.cache.cache_parts import ANSWER, USAGE, Room, a_cached_policy, a_question, entry_of

PLAIN = entry_of(a_cached_policy(cache=None))
FILTERED = ANSWER.replace(b'"stop"', b'"content_filter"')


def keyed(body: dict[str, Any] | None = None, key: str = "key-1", **fields: Any) -> Question:
    return a_question(body, **({"entry": PLAIN, "idempotency_key": key} | fields))


async def refusal(room: Room, question: Question) -> tuple[int, str]:
    with pytest.raises(RouterError) as caught:
        await room.answer(question)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("body", [ANSWER, FILTERED], ids=["complete", "filtered: it was billed too"])
async def test_a_repeat_gets_the_answer_of_the_first(body: bytes) -> None:
    room = Room()
    assert await room.answer(keyed(), body=body) is None
    ticket = room.reuse.ticket(keyed())
    kept = await ticket.lookup()
    ticket.close()
    assert kept is not None
    assert kept.body == body
    assert ticket.headers() == {"x-fairlead-model": "team-a/openai/small", "x-fairlead-idempotent-replay": "true"}
    assert ticket.used is None
    assert room.count("fairlead_idempotent_requests", "first") == 1
    assert room.count("fairlead_idempotent_requests", "replayed") == 1


APART: list[tuple[str, Question]] = [
    ("another key", keyed(key="key-2")),
    ("another workspace", keyed(workspace="other")),
    ("another credential", keyed(subject="other")),
]


@pytest.mark.parametrize("question", [pytest.param(each, id=name) for name, each in APART])
async def test_keys_of_others_do_not_meet(question: Question) -> None:
    room = Room()
    await room.answer(keyed())
    assert await room.answer(question) is None


async def test_without_the_header_nothing_is_kept() -> None:
    room = Room()
    question = a_question(entry=PLAIN)
    assert not room.reuse.wants(question.policy, question.headers)


async def test_a_key_under_another_body_is_refused() -> None:
    room = Room()
    await room.answer(keyed())
    assert await refusal(room, keyed({"seed": 1})) == (422, "idempotency_key_reused")
    assert await room.answer(keyed()) == ANSWER


async def test_a_key_under_another_body_is_refused_while_the_first_runs() -> None:
    room = Room()
    first = await begun(room, keyed())
    assert await refusal(room, keyed({"seed": 1})) == (422, "idempotency_key_reused")
    first.answered("m", USAGE, ANSWER)
    assert await room.answer(keyed()) == ANSWER


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\x07b"], ids=["empty", "blank", "too long", "unprintable"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    assert await refusal(Room(), keyed(key=key)) == (400, "idempotency_key_invalid")


async def test_the_longest_key_is_taken() -> None:
    assert await Room().answer(keyed(key="x" * 255)) is None


async def begun(room: Room, question: Question) -> Ticket:
    """The ticket of a request that is under way."""
    ticket = room.reuse.ticket(question)
    assert await ticket.lookup() is None
    return ticket


async def test_a_repeat_waits_for_the_first() -> None:
    room = Room()
    first = await begun(room, keyed())
    repeat = asyncio.create_task(room.answer(keyed()))
    await asyncio.sleep(0)
    assert not repeat.done()
    first.answered("m", USAGE, ANSWER)
    assert await repeat == ANSWER
    first.close()


async def test_after_a_failure_one_repeat_runs_and_the_others_wait_for_it() -> None:
    room = Room()
    first = await begun(room, keyed())
    repeats = [room.reuse.ticket(keyed()) for _ in range(3)]
    looking = [asyncio.create_task(each.lookup()) for each in repeats]
    await asyncio.sleep(0)
    first.close()
    await room.reuse.close()
    assert await looking[0] is None
    assert [each.done() for each in looking] == [True, False, False]
    repeats[0].answered("m", USAGE, ANSWER)
    given = await asyncio.gather(*looking[1:])
    assert [each.body for each in given if each is not None] == [ANSWER, ANSWER]
    for ticket in repeats:
        ticket.close()
    await room.reuse.close()


async def test_a_repeat_that_waited_long_enough_is_told_to_come_again() -> None:
    room = Room(settings={"idempotency_wait_seconds": 0.0})
    first = await begun(room, keyed())
    with pytest.raises(RouterError) as caught:
        await room.answer(keyed())
    assert (caught.value.status, caught.value.code) == (409, "idempotency_key_in_use")
    assert caught.value.retry_after_seconds == 1
    first.answered("m", USAGE, ANSWER)
    await room.reuse.close()
    assert await room.answer(keyed()) == ANSWER


async def test_a_repeat_whose_client_left_has_waited_and_not_worked() -> None:
    room = Room()
    first = await begun(room, keyed())
    second = room.reuse.ticket(keyed())
    looking = asyncio.create_task(second.lookup())
    await asyncio.sleep(0)
    room.clock.now += 5
    looking.cancel()
    await asyncio.wait((looking,))
    assert second.waited == 5
    for ticket in (second, first):
        ticket.close()
    await room.reuse.close()


async def test_a_repeat_at_another_router_waits_too() -> None:
    store = MemoryStore()
    one, other = Room(store, shared=True), Room(store, shared=True)
    first = await begun(one, keyed())
    repeat = asyncio.create_task(other.answer(keyed()))
    first.answered("m", USAGE, ANSWER)
    assert await repeat == ANSWER
    await one.reuse.close()


async def test_when_the_first_failed_at_one_router_the_repeat_runs_at_another() -> None:
    store = MemoryStore()
    one, other = Room(store, shared=True), Room(store, shared=True)
    first = await begun(one, keyed())
    repeat = asyncio.create_task(other.answer(keyed()))
    await asyncio.sleep(0)
    first.close()
    assert await repeat is None
    await one.reuse.close()


async def test_a_repeat_at_another_router_is_told_to_come_again_when_its_time_is_over() -> None:
    store = MemoryStore()
    one = Room(store, shared=True)
    other = Room(store, shared=True, settings={"idempotency_wait_seconds": 0.0})
    first = await begun(one, keyed())
    assert await refusal(other, keyed()) == (409, "idempotency_key_in_use")
    first.close()
    await one.reuse.close()
    assert await other.answer(keyed()) is None


async def test_a_request_whose_answer_was_too_large_is_never_made_twice() -> None:
    room = Room(settings={"idempotency_max_bytes": 10})
    await room.answer(keyed())
    assert await refusal(room, keyed()) == (409, "idempotent_answer_not_kept")


async def test_an_answer_is_remembered_for_an_hour() -> None:
    room = Room()
    await room.answer(keyed())
    room.clock.now += 3599
    assert await room.answer(keyed()) == ANSWER
    room.clock.now += 1
    assert await room.answer(keyed()) is None


async def test_it_can_be_switched_off() -> None:
    room = Room(settings={"idempotency": False})
    await room.answer(keyed())
    assert await room.answer(keyed()) is None


async def test_no_store_weighs_more_than_a_key() -> None:
    room = Room()
    question = keyed(cache_control="no-store")
    await room.answer(question)
    assert isinstance(room.store, MemoryStore)
    assert not room.store._values


async def test_a_request_answered_from_the_cache_is_remembered_under_its_key() -> None:
    room = Room()
    cached = a_question()
    await room.answer(cached)
    assert await room.answer(a_question(idempotency_key="k")) == ANSWER
    assert await refusal(room, a_question({"seed": 1}, idempotency_key="k")) == (422, "idempotency_key_reused")


async def test_a_replay_needs_no_model_that_is_still_allowed() -> None:
    room = Room()
    await room.answer(keyed())
    assert await room.answer(keyed(allowed=[])) == ANSWER


class GatedStore(MemoryStore):
    """A store that takes its time to keep what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        await self.gate.wait()
        await super().put(key, value, now=now, ttl_seconds=ttl_seconds)


async def test_a_repeat_that_comes_while_the_answer_is_being_kept_does_not_run_again() -> None:
    store = GatedStore()
    room = Room(store)
    first = await begun(room, keyed())
    first.answered("m", USAGE, ANSWER)
    await asyncio.sleep(0)
    repeat = asyncio.create_task(room.answer(keyed()))
    await asyncio.sleep(0)
    store.gate.set()
    assert await repeat == ANSWER
