"""When it is worth coming back."""

from __future__ import annotations

import pytest

from fairlead_router.admit.drain import DrainRate


def test_who_must_wait_for_others_is_told_how_long_that_takes_at_the_measured_rate() -> None:
    rate = DrainRate()
    rate.full(0.0)
    for place in range(10):
        rate.left(0.5 * (place + 1))  # two a second
    assert rate.retry_after(ahead=19, now=5.0) == pytest.approx(10.0)


def test_while_nothing_has_ended_the_time_so_far_stands_for_one_request() -> None:
    rate = DrainRate()
    rate.full(100.0)
    assert rate.retry_after(ahead=0, now=100.0) == 1
    assert rate.retry_after(ahead=2, now=104.0) == pytest.approx(12.0)


def test_the_wait_is_a_second_at_least_and_a_minute_at_most() -> None:
    rate = DrainRate()
    rate.full(0.0)
    assert rate.retry_after(ahead=10_000, now=9.0) == 60
    for place in range(1000):
        rate.left(0.001 * place)
    assert rate.retry_after(ahead=0, now=1.0) == 1


def test_what_happened_more_than_a_window_ago_counts_no_more() -> None:
    rate = DrainRate()
    rate.full(0.0)
    for place in range(100):
        rate.left(0.1 * (place + 1))  # ten a second; the last one begins a new window
    for place in range(4):
        rate.left(11.0 + place)  # one a second
    assert rate.retry_after(ahead=9, now=14.0) == pytest.approx(10.0)


def test_a_rate_of_long_ago_is_forgotten_when_there_is_room() -> None:
    rate = DrainRate()
    rate.full(0.0)
    rate.left(1.0)
    rate.roomy()
    rate.left(2.0)
    rate.full(50.0)
    assert rate.retry_after(ahead=0, now=50.0) == 1
