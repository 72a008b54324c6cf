"""Events that repeat become one event with a count, and an object that flips cannot flood the cluster."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.status import EventLog, EventToPost, ObjectReference


def event(note: str = "spec.a: wrong", uid: str = "uid-1", *, once: bool = False) -> EventToPost:
    about = ObjectReference("fairlead.dev/v1alpha1", "RoutingPolicy", "team-a", "main", uid)
    return EventToPost(about, "Warning", "Invalid", note, "Compile", once)


def decided(log: EventLog, what: EventToPost, now: float) -> tuple[str, int]:
    decision = log.decide(what, now)
    return decision.posting.value, decision.count


def test_the_first_is_created_and_the_same_again_counts_up() -> None:
    log = EventLog()
    assert [decided(log, event(), now) for now in (0, 1, 599)] == [("New", 1), ("Series", 2), ("Series", 3)]


def test_another_message_or_object_is_another_event() -> None:
    log = EventLog()
    assert [decided(log, what, 0) for what in (event(), event("other"), event(uid="uid-2"))] == [("New", 1)] * 3


def test_after_ten_quiet_minutes_it_begins_anew() -> None:
    log = EventLog()
    assert [decided(log, event(), now) for now in (0, 600, 1201)] == [("New", 1), ("Series", 2), ("New", 1)]


def test_what_is_said_once_is_not_said_again_however_late() -> None:
    log = EventLog()
    found = [decided(log, event(once=True), now)[0] for now in (0, 1, 100_000)]
    assert found == ["New", "Suppressed", "Suppressed"]


def test_an_object_has_ten_writes_and_then_one_a_minute() -> None:
    log = EventLog()
    assert [decided(log, event(str(number)), 0)[0] for number in range(12)] == ["New"] * 10 + ["Suppressed"] * 2
    assert decided(log, event("late"), 59)[0] == "Suppressed"
    assert decided(log, event("later"), 60)[0] == "New"
    assert decided(log, event("too soon"), 61)[0] == "Suppressed"
    assert decided(log, event(uid="uid-2"), 61)[0] == "New"


def test_what_was_suppressed_at_first_is_created_when_it_comes_again() -> None:
    log = EventLog(burst=1)
    log.decide(event("other"), 0)
    assert decided(log, event(), 0) == ("Suppressed", 1)
    assert decided(log, event(), 60) == ("New", 2)


def test_a_count_includes_what_was_not_written() -> None:
    log = EventLog(burst=1)
    found = [decided(log, event(), now) for now in (0, 1, 2, 60)]
    assert found == [("New", 1), ("Suppressed", 2), ("Suppressed", 3), ("Series", 4)]


def test_only_so_many_are_remembered_those_seen_last() -> None:
    log = EventLog(capacity=2)
    for uid in ("a", "b"):
        log.decide(event(uid=uid), 0)
    log.decide(event(uid="a"), 1)
    log.decide(event(uid="c"), 2)
    assert len(log) == 2
    assert decided(log, event(uid="a"), 3)[0] == "Series"
    assert decided(log, event(uid="b"), 3)[0] == "New"


def test_objects_without_a_uid_have_limits_of_their_own() -> None:
    log = EventLog(burst=1)
    one, two = event(uid=""), event(uid="")
    two = replace(two, regarding=replace(two.regarding, name="second"))
    assert [decided(log, what, 0)[0] for what in (one, two)] == ["New", "New"]


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.floats(0, 300), st.booleans()), max_size=80
)


@given(STEPS, st.integers(1, 4))
def test_no_object_gets_more_writes_than_its_bucket_held(steps: list[tuple[str, str, float, bool]], burst: int) -> None:
    log, now = EventLog(burst=burst), 0.0
    writes: dict[str, int] = {}
    for note, uid, wait, once in steps:
        now += wait
        if decided(log, event(note, uid, once=once), now)[0] != "Suppressed":
            writes[uid] = writes.get(uid, 0) + 1
    assert all(count <= burst + now / 60 + 1e-6 for count in writes.values())


@given(STEPS, st.integers(1, 5))
def test_the_memory_is_bounded(steps: list[tuple[str, str, float, bool]], capacity: int) -> None:
    log, now = EventLog(capacity=capacity), 0.0
    for note, uid, wait, once in steps:
        now += wait
        log.decide(event(note, uid, once=once), now)
        assert len(log) <= capacity


@given(STEPS)
def test_an_event_is_created_before_it_is_counted(steps: list[tuple[str, str, float, bool]]) -> None:
    log, now, created = EventLog(), 0.0, set()
    for note, uid, wait, once in steps:
        now += wait
        what = event(note, uid, once=once)
        posting, count = decided(log, what, now)
        assert count >= 1
        if posting == "New":
            created.add(what.name)
        elif posting == "Series":
            assert what.name in created
