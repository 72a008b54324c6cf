"""The order of those who wait, against a plain description of it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.admit.line import Line
from fairlead_router.admit.priority import Priority

LOW, NORMAL, HIGH = Priority


@dataclass
class Waiting:
    ticket: int
    priority: Priority
    came: float


class PlainLine:
    """The same, as one list that is sorted anew each time."""

    def __init__(self, head_start: float) -> None:
        self.head_start = head_start
        self.waiting: list[Waiting] = []

    def next(self) -> int | None:
        if not self.waiting:
            return None
        first = min(self.waiting, key=lambda w: (w.came + (HIGH - w.priority) * self.head_start, -w.priority, w.ticket))
        self.waiting.remove(first)
        return first.ticket

    def displace(self, priority: Priority) -> int | None:
        lower = [each for each in self.waiting if each.priority < priority]
        if not lower:
            return None
        last = min(lower, key=lambda w: (w.priority, -w.ticket))
        self.waiting.remove(last)
        return last.ticket


steps = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.sampled_from(Priority), st.integers(0, 3)),
        st.tuples(st.just("next"), st.none(), st.none()),
        st.tuples(st.just("displace"), st.sampled_from(Priority), st.none()),
        st.tuples(st.just("leave"), st.none(), st.integers(0, 10)),
    ),
    max_size=60,
)


@given(steps, st.sampled_from([0.0, 1.0, 5.0]))
def test_the_line_serves_in_the_order_that_a_sorted_list_does(
    actions: list[tuple[str, Priority | None, int | None]], head_start: float
) -> None:
    line: Line[int] = Line(head_start)
    plain = PlainLine(head_start)
    now, tickets = 0.0, 0
    for action, priority, number in actions:
        if action == "join":
            assert priority is not None
            assert number is not None
            now += number
            line.join(tickets, priority, now)
            plain.waiting.append(Waiting(tickets, priority, now))
            tickets += 1
        elif action == "next":
            assert line.next() == plain.next()
        elif action == "displace":
            assert priority is not None
            assert line.yields_to(priority) == any(each.priority < priority for each in plain.waiting)
            assert line.displace(priority) == plain.displace(priority)
        elif plain.waiting:
            assert number is not None
            gone = plain.waiting.pop(number % len(plain.waiting))
            line.leave(gone.ticket, gone.priority)
            line.leave(gone.ticket, gone.priority)  # twice is no error
        assert len(line) == len(plain.waiting)


def test_within_a_priority_who_came_first_goes_first() -> None:
    line: Line[str] = Line(1.0)
    for place, name in enumerate("abcd"):
        line.join(name, NORMAL, place)
    assert [line.next() for _ in range(5)] == ["a", "b", "c", "d", None]


def test_a_higher_priority_goes_first() -> None:
    line: Line[str] = Line(10.0)
    for name, priority in (("low", LOW), ("normal", NORMAL), ("high", HIGH)):
        line.join(name, priority, 0.0)
    assert [line.next() for _ in range(3)] == ["high", "normal", "low"]


def test_however_many_urgent_requests_come_nobody_is_overtaken_for_ever() -> None:
    line: Line[str] = Line(2.0)
    line.join("low", LOW, 0.0)
    overtaken = 0
    for second in range(100):
        line.join(f"high {second}", HIGH, second)
        if line.next() == "low":
            break
        overtaken += 1
    assert overtaken == 5  # at 0, 1, 2, 3 and 4 seconds


def test_who_is_displaced_is_who_would_be_served_last() -> None:
    line: Line[str] = Line(1.0)
    for name, priority in (("a", NORMAL), ("b", LOW), ("c", LOW), ("d", HIGH)):
        line.join(name, priority, 0.0)
    assert [line.displace(HIGH) for _ in range(4)] == ["c", "b", "a", None]
    assert line.displace(NORMAL) is None
