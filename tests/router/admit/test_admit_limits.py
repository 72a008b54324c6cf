"""Bounds on what the router takes in at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from fairlead_router.admit.limits import Admission
from fairlead_router.errors import RouterError


def admission(**limits: int) -> Admission:
    return Admission(**({"max_body_bytes": 100, "max_concurrent_requests": 2} | limits))


def test_a_place_is_taken_while_the_request_lives_and_free_again_after_it() -> None:
    places = admission()
    with places.place():
        assert places.in_flight == 1
        with places.place():
            assert places.in_flight == 2
    assert places.in_flight == 0


def test_a_request_over_the_limit_is_refused_counted_and_takes_no_place() -> None:
    places = admission()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(places.place())
        for _ in range(3):
            with pytest.raises(RouterError) as raised, places.place():
                raise AssertionError("there was no place")
        assert (places.in_flight, places.refused) == (2, 3)
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (503, "router_overloaded", 1)
    assert "already serves 2 requests" in error.message
    with places.place():
        assert places.in_flight == 1


def _fail_in(places: Admission) -> None:
    with places.place():
        raise ZeroDivisionError


def test_a_request_that_fails_gives_its_place_back() -> None:
    places = admission()
    with pytest.raises(ZeroDivisionError):
        _fail_in(places)
    assert places.in_flight == 0


@pytest.mark.parametrize("length", [None, 0, 99, 100])
def test_a_body_within_the_limit_or_of_unknown_length_is_let_in(length: int | None) -> None:
    admission().check_length(length)


def test_a_body_that_says_it_is_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(RouterError) as raised:
        admission().check_length(101)
    assert (raised.value.status, raised.value.code) == (413, "request_too_large")
