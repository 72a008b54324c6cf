"""What is kept of classifications, under names that say nothing."""

from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.verdict import LearnedVerdict
from fairlead_router.classify.kept import Kept, size_of
from fairlead_router.state.memory import MemoryStore
from tests.router.builders import a_classification
from tests.router.classify.classify_parts import KEY, LABELS, HeldLearned

VERDICT = LearnedVerdict((0.1, 0.8, 0.1), ("math", "chat"))
SIZE = size_of(a_classification())


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def kept(store: MemoryStore | None = None, *, key: bytes = KEY, ttl: float = 60, time: Time | None = None) -> Kept:
    clock = time or Time()
    return Kept(key, store, ttl_seconds=ttl, clock=clock, wall=clock, max_bytes=3 * SIZE)


@given(st.text(st.characters(codec=None, exclude_categories=[])), st.binary(max_size=8), st.binary(max_size=8))
def test_the_same_text_has_the_same_name_under_the_same_key_bundle_and_rules(
    text: str, bundle: bytes, rules: bytes
) -> None:
    name = kept().name(text, bundle, rules)
    assert kept().name(text, bundle, rules) == name
    others = [
        kept(key=b"other" * 4).name(text, bundle, rules),
        kept().name(text, bundle + b"x", rules),
        kept().name(text, bundle, rules + b"x"),
        kept().name(text + "x", bundle, rules),
    ]
    assert name not in others


def test_what_is_kept_is_forgotten_when_its_time_is_over() -> None:
    time = Time()
    memory = kept(time=time)
    memory.keep(b"n", said := a_classification())
    assert memory.find(b"n") is said
    time.now += 60
    assert memory.find(b"n") is None


def test_the_least_recently_found_goes_first() -> None:
    memory = kept()
    for name in (b"a", b"b", b"c"):
        memory.keep(name, a_classification())
    memory.find(b"a")
    memory.keep(b"d", a_classification())
    assert [memory.find(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_it_is_bounded_by_bytes_so_that_many_categories_mean_fewer_classifications() -> None:
    memory = kept()
    for name in (b"a", b"b"):
        memory.keep(name, a_classification())
    large = a_classification(probabilities={f"category_{n}": 0.01 for n in range(20)})
    assert SIZE < size_of(large) < 3 * SIZE
    memory.keep(b"c", large)
    assert [memory.find(name) is not None for name in (b"a", b"b", b"c")] == [False, False, True]
    memory.keep(b"c", a_classification())
    memory.keep(b"d", a_classification())
    assert [memory.find(name) is not None for name in (b"c", b"d")] == [True, True], "the room of the large one is free"


@pytest.mark.parametrize("categories", [7, 39, 200])
def test_what_it_is_thought_to_take_is_not_less_than_it_takes(categories: int) -> None:
    memory = kept()
    labels = [f"category_{n}" for n in range(categories)]
    memory._max_bytes = 1 << 30
    said = a_classification()
    tracemalloc.start()
    for number in range(500):
        said = a_classification(
            probabilities={label: number / (place + 501) for place, label in enumerate(labels)},
            confidence=number / 3,
            complexity=number / 5,
            conformal_set=tuple(labels),
        )
        memory.keep(number.to_bytes(16), msgspec.structs.replace(said, microseconds=1000 + number))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / 500 <= size_of(said)


async def test_without_a_time_to_live_nothing_is_kept_anywhere() -> None:
    store = MemoryStore()
    memory = kept(store, ttl=0)
    memory.keep(b"n", a_classification())
    await memory.share(b"n", VERDICT, HeldLearned())
    assert (memory.find(b"n"), memory.shares, store._values) == (None, False, {})


async def test_an_answer_comes_back_from_the_store_as_it_went() -> None:
    store = MemoryStore()
    await kept(store).share(b"n", VERDICT, HeldLearned())
    assert await kept(store).fetch(b"n", HeldLearned()) == VERDICT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not msgpack at all",
        msgspec.msgpack.encode([[0.5, 0.5], []]),
        msgspec.msgpack.encode([[0.5, 0.5, 7.0], []]),
        msgspec.msgpack.encode([[0.5, 0.5, float("nan")], []]),
        msgspec.msgpack.encode([[0.5, 0.5, 0.0], [3]]),
        msgspec.msgpack.encode([[0.5, 0.5, 0.0], [-1]]),
        msgspec.msgpack.encode({"probabilities": []}),
        b"\x93\x90\x90" + b"\x91" * 100_000 + b"\x90",
    ],
)
async def test_what_cannot_be_an_answer_is_none(data: bytes) -> None:
    assert len(LABELS) == 3
    store = MemoryStore()
    await store.put(f"classifier/{b'n'.hex()}", data, now=0, ttl_seconds=1e9)
    assert await kept(store).fetch(b"n", HeldLearned()) is None


class SlowStore(MemoryStore):
    """Never answers, and counts who asked."""

    asked = 0

    async def get(self, key: str, *, now: float) -> bytes | None:
        import asyncio

        self.asked += 1
        await asyncio.get_running_loop().create_future()
        return None


async def test_a_store_that_is_slow_is_left_alone_for_a_second() -> None:
    time, store = Time(), SlowStore()
    memory = kept(store, time=time)
    for _ in range(3):
        assert await memory.fetch(b"n", HeldLearned()) is None
    assert (store.asked, memory.shares) == (1, False)
    time.now += 1
    await memory.fetch(b"n", HeldLearned())
    assert store.asked == 2
