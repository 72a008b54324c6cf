"""One endpoint as several routers see it, and what `Degraded` makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.kinds.model_provider import BreakerState, EndpointState, EndpointStatus
from fairlead_operator.status.endpoints import (
    ENDPOINT_REASONS,
    STATE_RANK,
    UNKNOWN_HEALTH,
    EndpointHealth,
    Observed,
    Sighting,
    combine,
    degradation,
    rounded,
    status_of,
)
from fairlead_operator.status.wording import MAX_MESSAGE_CHARACTERS

HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN = (
    EndpointState.HEALTHY,
    EndpointState.DEGRADED,
    EndpointState.UNHEALTHY,
    EndpointState.UNKNOWN,
)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def sees(state: EndpointState, breaker: BreakerState = CLOSED, calls: int | None = 10, **fields: Any) -> Sighting:
    fields.setdefault("error_percent", 0.0 if calls else None)
    return Sighting(state, breaker, calls=calls, **fields)


WELL, NEVER_CALLED = sees(HEALTHY), sees(UNKNOWN, calls=0)
BROKEN = sees(UNHEALTHY, OPEN, score_percent=0, error_percent=60.0)
PROBING = sees(DEGRADED, HALF_OPEN, score_percent=50)
UNTRIED = sees(DEGRADED, HALF_OPEN, calls=0, score_percent=50)

STATES: list[tuple[str, list[Sighting], EndpointState, BreakerState]] = [
    ("nobody tells of it", [], UNKNOWN, CLOSED),
    ("nobody has called it", [NEVER_CALLED, NEVER_CALLED], UNKNOWN, CLOSED),
    ("one has called it and it works", [NEVER_CALLED, WELL], HEALTHY, CLOSED),
    ("it works for all", [WELL, WELL], HEALTHY, CLOSED),
    ("broken for one", [WELL, BROKEN, WELL], UNHEALTHY, OPEN),
    ("broken for one, never called by the other", [NEVER_CALLED, BROKEN], UNHEALTHY, OPEN),
    ("probed by one, broken for another", [PROBING, BROKEN], UNHEALTHY, OPEN),
    ("probed by one", [WELL, PROBING], DEGRADED, HALF_OPEN),
    ("errors at one", [WELL, sees(DEGRADED, error_percent=7.0)], DEGRADED, CLOSED),
    ("half open long ago, and works for another now", [UNTRIED, WELL], HEALTHY, CLOSED),
    ("half open long ago, and nobody called since", [UNTRIED, NEVER_CALLED], DEGRADED, HALF_OPEN),
    ("half open long ago, and only checked by another", [UNTRIED, sees(HEALTHY, calls=0)], DEGRADED, HALF_OPEN),
    ("half open long ago, and broken for another", [UNTRIED, WELL, BROKEN], UNHEALTHY, OPEN),
    ("half open at a router that counts no calls", [sees(DEGRADED, HALF_OPEN, calls=None), WELL], DEGRADED, HALF_OPEN),
    ("check fails at one", [WELL, sees(UNHEALTHY, calls=0, check_error="timeout")], UNHEALTHY, CLOSED),
    (
        "check fails where the breaker is half open",
        [WELL, sees(UNHEALTHY, HALF_OPEN, calls=0, check_error="timeout")],
        UNHEALTHY,
        HALF_OPEN,
    ),
]


@pytest.mark.parametrize(("sightings", "state", "breaker"), [case[1:] for case in STATES], ids=[c[0] for c in STATES])
def test_the_worst_that_a_router_knows_counts(
    sightings: list[Sighting], state: EndpointState, breaker: BreakerState
) -> None:
    found = combine(sightings)
    assert (found.state, found.breaker) == (state, breaker)


def test_numbers_are_weighted_by_calls_and_the_score_is_the_lowest() -> None:
    busy = sees(HEALTHY, calls=90, score_percent=98, latency_p50_milliseconds=100, error_percent=2.0)
    idle = sees(DEGRADED, calls=10, score_percent=60, latency_p50_milliseconds=900, error_percent=40.0)
    found = combine([idle, busy, NEVER_CALLED])
    assert (found.score_percent, found.latency_p50_milliseconds) == (60, 100)
    assert found.error_percent == pytest.approx(5.8)


def test_numbers_that_nobody_knows_are_not_made_up() -> None:
    assert combine([NEVER_CALLED]) == UNKNOWN_HEALTH
    checked = combine([sees(HEALTHY, calls=0)])
    assert (checked.latency_p50_milliseconds, checked.error_percent) == (None, None)


def test_a_router_that_counts_no_calls_weighs_as_much_as_one_call() -> None:
    old = sees(DEGRADED, calls=None, error_percent=100.0)
    assert combine([old, sees(HEALTHY, calls=99)]).error_percent == pytest.approx(1.0)


SIGHTINGS = st.builds(
    Sighting,
    st.sampled_from(EndpointState),
    st.sampled_from(BreakerState),
    st.integers(-5, 200),
    st.none() | st.integers(0, 10**9),
    st.none() | st.integers(0, 10**12),
    st.none() | st.floats(0, 100),
    st.none() | st.sampled_from(["timeout", "connect", "503"]),
)


@given(st.lists(SIGHTINGS, max_size=6).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_of_routers_does_not_matter(both: tuple[list[Sighting], list[Sighting]]) -> None:
    assert combine(both[0]) == combine(both[1])


@given(st.lists(SIGHTINGS, max_size=6))
def test_whatever_routers_say_the_schema_takes_it(sightings: list[Sighting]) -> None:
    combined = combine(sightings)
    for each in (combined, rounded(combined)):
        (body,) = status_of({"main": each})
        EndpointStatus.model_validate(body)


@given(st.lists(SIGHTINGS, max_size=6), SIGHTINGS)
def test_one_more_router_makes_nothing_look_better_unless_calls_work_there(
    sightings: list[Sighting], another: Sighting
) -> None:
    before, after = combine(sightings), combine([*sightings, another])
    assert another.proven or STATE_RANK[after.state] >= STATE_RANK[before.state]


# ------------------------------------------------------------------------------------------------ Degraded

ILL, AILING, FINE = EndpointHealth(UNHEALTHY, OPEN), EndpointHealth(DEGRADED, HALF_OPEN), EndpointHealth(HEALTHY)

REASONS: list[tuple[str, dict[str, EndpointHealth], str | None, str]] = [
    ("no endpoint", {}, None, ""),
    ("all well", {"eu": FINE, "us": FINE}, None, ""),
    ("nothing known", {"eu": UNKNOWN_HEALTH}, None, ""),
    ("the only one broken", {"eu": ILL}, "AllEndpointsUnhealthy", "endpoint eu: its circuit breaker is open: "),
    ("all broken", {"eu": ILL, "us": ILL}, "AllEndpointsUnhealthy", "endpoint us: its circuit breaker is open: "),
    ("one broken", {"eu": ILL, "us": FINE}, "EndpointsUnhealthy", "endpoint eu: its circuit breaker is open: "),
    ("one broken, one unknown", {"eu": ILL, "us": UNKNOWN_HEALTH}, "EndpointsUnhealthy", "endpoint eu: "),
    ("one broken, one probed", {"eu": ILL, "us": AILING}, "EndpointsUnhealthy", "; endpoint us: its circuit breaker is half"),
    ("one probed", {"eu": AILING, "us": FINE}, "EndpointsDegraded", "endpoint eu: its circuit breaker is half open"),
    ("errors", {"eu": EndpointHealth(DEGRADED)}, "EndpointsDegraded", "endpoint eu: too many of its calls fail: "),
    (
        "check fails",
        {"eu": EndpointHealth(UNHEALTHY, check_error="timeout"), "us": FINE},
        "EndpointsUnhealthy",
        "endpoint eu: its health check fails (timeout): ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoints", "reason", "words"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS]
)
def test_degraded_names_what_is_wrong(endpoints: dict[str, EndpointHealth], reason: str | None, words: str) -> None:
    verdict = degradation(endpoints)
    assert (verdict and verdict.reason) == reason
    if verdict is not None:
        assert verdict.status.value == "True"
        assert words in verdict.message
        assert verdict.reason in ENDPOINT_REASONS


def test_its_message_does_not_change_with_the_numbers() -> None:
    one, other = (EndpointHealth(DEGRADED, CLOSED, 90 - n, 100 + n, 8.0 + n) for n in (0, 30))
    assert degradation({"eu": one}) == degradation({"eu": other})


def test_as_many_endpoints_as_there_may_be_fit_into_the_message() -> None:
    names = [f"{number:02d}".ljust(63, "x") for number in range(16)]
    verdict = degradation({name: EndpointHealth(UNHEALTHY, check_error="e" * 100) for name in names})
    assert verdict is not None
    assert len(verdict.message) <= MAX_MESSAGE_CHARACTERS


def test_endpoints_are_shown_as_declared_and_those_of_a_provider_that_declares_none_as_heard() -> None:
    observed = Observed(
        {"a/x": {"us": ILL, "gone": ILL}, "a/simulated": {"simulated": FINE}, "a/idle": {"simulated": UNKNOWN_HEALTH}}
    )
    assert list(observed.endpoints("a/x", ("eu", "us")).items()) == [("eu", UNKNOWN_HEALTH), ("us", ILL)]
    assert observed.endpoints("a/simulated", ()) == {"simulated": FINE}
    assert observed.endpoints("a/idle", ()) == {}
    assert observed.endpoints("a/new", ("eu",)) == {"eu": UNKNOWN_HEALTH}
