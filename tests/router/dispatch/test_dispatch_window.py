"""A window of outcomes against the plain list of them."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dispatch.window import BUCKETS, OutcomeWindow

outcomes = st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60)


@given(outcomes, st.integers(1, 100))
def test_it_counts_all_of_nine_tenths_of_the_window_and_nothing_older_than_all_of_it(
    steps: list[tuple[float, bool]], seconds: int
) -> None:
    window, now = OutcomeWindow(), 1000.0
    seen: list[tuple[float, bool]] = []
    for later, success in steps:
        now += later
        seen.append((now, success))
        window.add(now, success, seconds)
        successes, failures = window.counts(now, seconds)
        inside = [success for at, success in seen if at > now - seconds * (BUCKETS - 1) / BUCKETS + 1e-6]
        not_older = [success for at, success in seen if at > now - seconds - 1e-6]
        assert sum(inside) <= successes <= sum(not_older)
        assert len(inside) - sum(inside) <= failures <= len(not_older) - sum(not_older)


@given(outcomes, st.integers(10, 60), st.integers(1, 60))
def test_policies_with_windows_of_their_own_share_one_count(
    steps: list[tuple[float, bool]], one: int, two: int
) -> None:
    window, now = OutcomeWindow(), 0.0
    for number, (later, success) in enumerate(steps):
        now += later
        window.add(now, success, (one, two)[number % 2])
        wide, narrow = window.counts(now, max(one, two)), window.counts(now, min(one, two))
        assert 0 <= narrow[0] <= wide[0]
        assert 0 <= narrow[1] <= wide[1]
        assert 1 <= sum(wide) <= number + 1


def test_its_memory_does_not_grow_with_the_rate() -> None:
    window = OutcomeWindow()
    window.add(0.0, True, 60)

    def size() -> int:
        lists = (window._successes, window._failures)
        return sum(sys.getsizeof(each) for each in (window, *lists))

    before = size()
    for number in range(10_000):
        window.add(number / 1000, bool(number % 3), 60)
    assert size() == before
    assert sum(window.latest(10.0)) == 10_001
