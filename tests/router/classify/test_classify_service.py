"""Rules first, then who learned, within a deadline, together with all who ask the same."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_learning.verdict import LearnedVerdict
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.info import ClassifierState
from fairlead_router.classify.service import ClassifierService
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import StoreUnavailable
from tests.router.classify.classify_parts import SURE, UNSURE, HeldLearned, a_service, some_rules, until


@asynccontextmanager
async def serving(learned: HeldLearned | None = None, **given_: Any) -> AsyncIterator[ClassifierService]:
    service = a_service(learned, **given_)
    try:
        yield service
    finally:
        if learned is not None:
            learned.let_go()
        await service.close()


def outcome(said: Classification) -> tuple[ClassificationPath, ClassificationFallback | None, str]:
    return said.path, said.fallback, said.category


async def test_what_the_rules_are_sure_of_asks_nobody_else() -> None:
    async with serving(learned := HeldLearned()) as service:
        said = await service.classify(SURE)
    assert outcome(said) == (ClassificationPath.RULES, None, "coding")
    assert said.evidence == ("coding.python",)
    assert said.bundle_digest is None
    assert learned.asked == []


async def test_what_they_are_not_sure_of_is_decided_by_who_learned() -> None:
    async with serving(learned := HeldLearned()) as service:
        said = await service.classify(UNSURE)
    assert outcome(said) == (ClassificationPath.LEARNED, None, "math")
    assert (said.bundle_digest, said.probabilities, said.certain) == (
        "sha256:first",
        {"coding": 0.05, "math": 0.9, "chat": 0.05},
        True,
    )
    assert (said.cached, said.microseconds > 0) == (False, True)
    assert learned.asked == [UNSURE]


async def test_without_a_bundle_the_rules_decide_and_say_that_they_were_alone() -> None:
    async with serving() as service:
        wanted: list[None] = []
        service.want = lambda: wanted.append(None)
        assert (await service.classify(UNSURE)).fallback is ClassificationFallback.ENCODER_ABSENT
        assert (await service.classify(SURE)).fallback is None
    assert len(wanted) == 1, "only who would have asked wants a bundle"


async def test_a_text_asked_again_is_answered_from_memory() -> None:
    async with serving(learned := HeldLearned()) as service:
        first, again = await service.classify(UNSURE), await service.classify(UNSURE)
        sure = [await service.classify(SURE) for _ in range(2)]
    assert learned.asked == [UNSURE]
    assert (first.cached, again.cached) == (False, True)
    assert again.category == first.category
    assert [each.cached for each in sure] == [False, False], "cached is about who learned"


@pytest.mark.parametrize("change", ["bundle", "rules"])
async def test_a_new_bundle_or_new_rules_find_nothing_of_the_old_ones(change: str) -> None:
    async with serving(HeldLearned()) as service:
        await service.classify(UNSURE)
        newer = HeldLearned("sha256:second" if change == "bundle" else "sha256:first")
        service.use_learned(newer)
        if change == "rules":
            service.use_rules(some_rules(digest=b"new"))
        said = await service.classify(UNSURE)
    assert (said.bundle_digest, said.cached, newer.asked) == (newer.digest, False, [UNSURE])


async def test_identical_texts_under_way_share_one_computation() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        asking = [asyncio.create_task(service.classify(UNSURE)) for _ in range(50)]
        await until(learned.begun.is_set)
        learned.let_go()
        said = await asyncio.gather(*asking)
    assert learned.asked == [UNSURE]
    assert {outcome(each) for each in said} == {(ClassificationPath.LEARNED, None, "math")}


async def test_after_the_deadline_the_rules_decide_and_the_answer_is_there_for_the_next() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        late = await service.classify(UNSURE, deadline_seconds=0.02)
        assert outcome(late)[:2] == (ClassificationPath.RULES, ClassificationFallback.DEADLINE_EXCEEDED)
        learned.let_go()
        again = await service.classify(UNSURE)
    assert outcome(again) == (ClassificationPath.LEARNED, None, "math")
    assert learned.asked == [UNSURE], "what ran on was not lost"


async def test_who_waited_too_long_in_line_makes_room() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        running = asyncio.create_task(service.classify("the first of them"))
        await until(learned.begun.is_set)
        late = await service.classify("too long in line", deadline_seconds=0.02)
        assert (late.fallback, service.waiting) == (ClassificationFallback.DEADLINE_EXCEEDED, 0)
        learned.let_go()
        await running
    assert learned.asked == ["the first of them"]


async def test_a_text_in_line_is_wanted_as_long_as_the_last_of_those_who_wait_for_it() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        running = asyncio.create_task(service.classify("the first of them"))
        await until(learned.begun.is_set)
        patient = asyncio.create_task(service.classify(UNSURE, deadline_seconds=0.02))
        await until(lambda: service.waiting == 1)
        more_patient = asyncio.create_task(service.classify(UNSURE))
        last = asyncio.create_task(service.classify("behind them"))
        assert (await patient).fallback is ClassificationFallback.DEADLINE_EXCEEDED
        learned.let_go()
        said = await asyncio.gather(running, more_patient, last)
    assert [each.fallback for each in said] == [None, None, None]


async def test_of_a_full_line_the_rules_decide_at_once() -> None:
    async with serving(learned := HeldLearned(held=True), queue=2) as service:
        running = asyncio.create_task(service.classify("the first of them"))
        await until(learned.begun.is_set)
        waiting = [asyncio.create_task(service.classify(f"number {n}")) for n in "ab"]
        await until(lambda: service.waiting == 2)
        said = await service.classify("one too many")
        assert said.fallback is ClassificationFallback.QUEUE_FULL
        learned.let_go()
        every = await asyncio.gather(running, *waiting)
    assert [each.fallback for each in every] == [None] * 3


async def test_a_client_that_hangs_up_leaves_the_line_unless_another_waits_for_the_same() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        running = asyncio.create_task(service.classify("the first of them"))
        await until(learned.begun.is_set)
        gone = asyncio.create_task(service.classify("nobody waits"))
        half = [asyncio.create_task(service.classify("one of two waits")) for _ in range(2)]
        await until(lambda: service.waiting == 2)
        for each in (gone, half[0]):
            each.cancel()
        await asyncio.gather(gone, half[0], return_exceptions=True)
        assert service.waiting == 1
        learned.let_go()
        said = await asyncio.gather(running, half[1])
    assert learned.asked == ["the first of them", "one of two waits"]
    assert [each.fallback for each in said] == [None, None]


async def test_a_hang_up_of_who_asked_first_does_not_end_it_for_the_others() -> None:
    async with serving(learned := HeldLearned(held=True)) as service:
        first = asyncio.create_task(service.classify(UNSURE))
        await until(learned.begun.is_set)
        second = asyncio.create_task(service.classify(UNSURE))
        await asyncio.sleep(0)
        first.cancel()
        learned.let_go()
        assert (await second).fallback is None
        with pytest.raises(asyncio.CancelledError):
            await first
    assert learned.asked == [UNSURE]


async def test_a_classifier_that_fails_leaves_the_rules_and_is_complained_of_once_and_without_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "a secret text of somebody"
    async with serving(learned := HeldLearned()) as service:
        learned.error = ValueError(f"cannot tokenise {secret!r}")
        with caplog.at_level(logging.DEBUG):
            said = [await service.classify(text) for text in (secret, secret + " again")]
        assert {each.fallback for each in said} == {ClassificationFallback.FAILED}
        learned.error = None
        assert (await service.classify(secret)).fallback is None, "a failure is not kept"
    assert [record.message.partition("\n")[0] for record in caplog.records] == [
        "the learned classifier failed, the rules decide: ValueError at"
    ]
    assert secret not in caplog.text


async def test_a_verdict_that_makes_no_sense_is_a_failure_and_leaves_nobody_waiting() -> None:
    class Senseless(HeldLearned):
        def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
            super().classify(texts)
            return [LearnedVerdict((1.0,), ("math",)) for _ in texts]

    async with serving(learned := Senseless()) as service:
        said = await asyncio.gather(*(service.classify(text) for text in ("one of them", "two of them", UNSURE)))
        assert {each.fallback for each in said} == {ClassificationFallback.FAILED}
        assert (await service.classify(UNSURE)).fallback is ClassificationFallback.FAILED, "nothing is left under way"
    assert learned.asked.count(UNSURE) == 2


async def test_after_closing_the_rules_decide() -> None:
    service = a_service(learned := HeldLearned())
    await service.close()
    assert (await service.classify(UNSURE)).fallback is ClassificationFallback.ENCODER_ABSENT
    assert learned.asked == []


async def test_requests_under_way_end_with_the_bundle_they_began_with() -> None:
    async with serving(old := HeldLearned("sha256:old", held=True)) as service:
        running = [asyncio.create_task(service.classify(f"old {n}")) for n in "abc"]
        await until(old.begun.is_set)
        service.use_learned(HeldLearned("sha256:new"))
        newer = asyncio.create_task(service.classify("new one"))
        await until(lambda: service.waiting == 3)
        old.let_go()
        said = await asyncio.gather(*running, newer)
    assert [each.bundle_digest for each in said] == ["sha256:old"] * 3 + ["sha256:new"]
    assert {each.fallback for each in said} == {None}


async def test_who_learned_is_asked_on_a_thread_of_its_own_and_always_the_same() -> None:
    async with serving(learned := HeldLearned()) as service:
        for number in range(5):
            await service.classify(f"what of {'abcde'[number]}")
    assert len(learned.threads) == 1
    assert threading.get_ident() not in learned.threads


async def test_closing_answers_who_still_waits() -> None:
    learned = HeldLearned(held=True)
    service = a_service(learned)
    asking = [asyncio.create_task(service.classify(f"what of {n}")) for n in "abc"]
    await until(learned.begun.is_set)
    learned.let_go()
    await service.close()
    assert {(await each).fallback for each in asking} <= {None, ClassificationFallback.ENCODER_ABSENT}


async def test_routers_that_share_a_store_share_answers() -> None:
    store = MemoryStore()
    one, other = HeldLearned(), HeldLearned()
    async with serving(one, store=store) as first:
        made = await first.classify(UNSURE)
        await until(lambda: bool(store._values))
    async with serving(other, store=store) as second:
        found = await second.classify(UNSURE)
    assert other.asked == []
    assert (found.cached, found.probabilities, found.conformal_set) == (True, made.probabilities, made.conformal_set)


class AwayStore(MemoryStore):
    """A store that does not answer."""

    async def get(self, key: str, *, now: float) -> bytes | None:
        raise StoreUnavailable("away")

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        raise StoreUnavailable("away")


async def test_a_store_that_is_away_is_no_cache_and_no_error() -> None:
    async with serving(learned := HeldLearned(), store=AwayStore()) as service:
        said = await service.classify(UNSURE)
    assert (outcome(said), learned.asked) == ((ClassificationPath.LEARNED, None, "math"), [UNSURE])


async def test_a_long_text_is_read_at_both_ends_only() -> None:
    async with serving(learned := HeldLearned()) as service:
        await service.classify("a" + " b" * 1_000_000 + " z")
    (text,) = learned.asked
    assert len(text) < 20_000
    assert (text[0], text[-1]) == ("a", "z")


@given(st.text(st.characters(codec=None, exclude_categories=[]), max_size=200))
async def test_no_text_raises(text: str) -> None:
    async with serving() as service:
        said = await service.classify(text)
    assert 0 <= said.confidence <= 1


async def test_every_classification_is_counted_by_who_decided_and_why() -> None:
    counts = ClassifierCounts()
    async with serving(learned := HeldLearned(), counts=counts) as service:
        for text in (SURE, UNSURE, UNSURE):
            await service.classify(text)
        learned.error = ValueError()
        await service.classify("something else")
    found = {
        (sample.name, *sample.labels.values()): sample.value for family in counts.collect() for sample in family.samples
    }
    assert found["fairlead_classifications_total", "Rules", "none"] == 1
    assert found["fairlead_classifications_total", "Learned", "none"] == 2
    assert found["fairlead_classifications_total", "Rules", "Failed"] == 1
    assert found["fairlead_classifier_cache_total", "process"] == 1
    assert found["fairlead_classifier_cache_total", "miss"] == 2
    assert found["fairlead_classifier_batch_size_count",] == 2


async def test_it_says_how_it_stands() -> None:
    async with serving(HeldLearned()) as service:
        info = service.info()
    assert (info.state, info.categories, info.bundle_digest) == (
        ClassifierState.RULES_ONLY,
        ("coding", "math", "chat"),
        "sha256:first",
    )
    assert (info.rule_threshold, info.learned_threshold, info.deadline_seconds) == (0.7, 0.8, 10.0)


async def test_who_has_time_waits_for_a_bundle_that_is_coming_and_who_has_not_does_not() -> None:
    async with serving() as service:
        service.state = lambda: ClassifierState.LOADING
        hurried = await service.classify(UNSURE, deadline_seconds=0.01)
        assert hurried.fallback is ClassificationFallback.ENCODER_ABSENT
        patient = asyncio.create_task(service.classify(UNSURE, deadline_seconds=30))
        await asyncio.sleep(0)
        assert not patient.done()
        service.use_learned(HeldLearned())
        said = await patient
        assert (said.category, said.fallback) == ("math", None)
        assert (await service.classify(UNSURE)).cached, "it was kept under the bundle that answered"


async def test_nobody_waits_for_a_bundle_that_is_not_coming() -> None:
    async with serving() as service:
        service.state = lambda: ClassifierState.ABSENT
        async with asyncio.timeout(5):
            said = await service.classify(UNSURE, deadline_seconds=3600)
        assert said.fallback is ClassificationFallback.ENCODER_ABSENT
