"""The circuit breaker as a table of times and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fairlead_contract.fragments import CircuitBreaker
from fairlead_router.dispatch.breaker import Breaker, BreakerRegistry, BreakerRules
from fairlead_router.select.view import CLOSED, BreakerState

RULES = BreakerRules(
    window_seconds=60,
    min_requests=4,
    failure_percent=50,
    consecutive_failures=3,
    open_seconds=10,
    max_open_seconds=40,
    half_open_requests=2,
)
MIDDLE = 0.5
"""The draw that leaves the opening as long as it is."""


@dataclass
class Played:
    """A breaker and the rules it is played by."""

    breaker: Breaker
    rules: BreakerRules = RULES

    def state(self, now: float) -> BreakerState:
        return self.breaker.view(now).state

    def failed(self, *times: float, retry_after_seconds: float | None = None) -> Played:
        for now in times:
            self.breaker.failed(now, self.rules, retry_after_seconds=retry_after_seconds)
        return self

    def succeeded(self, *times: float) -> Played:
        for now in times:
            self.breaker.succeeded(now, self.rules)
        return self

    def acquire(self, now: float) -> bool:
        return self.breaker.acquire(now, self.rules)

    def open_seconds(self, now: float) -> float:
        view = self.breaker.view(now)
        return view.opens_again_in_seconds if view.state is BreakerState.OPEN else 0.0


def played(draw: float = MIDDLE, **rules: int) -> Played:
    merged = {name: getattr(RULES, name) for name in BreakerRules.__slots__} | rules
    return Played(Breaker(lambda: draw), BreakerRules(**merged))


def opened(now: float = 0.0) -> Played:
    return played().failed(now, now, now)


def outcomes(text: str) -> Played:
    """``.`` a success, ``x`` a failure, a second apart; consecutive failures never open it here."""
    breaker = played(consecutive_failures=100)
    for now, letter in enumerate(text):
        (breaker.failed if letter == "x" else breaker.succeeded)(float(now))
    return breaker


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", BreakerState.CLOSED),
        ("xxx", BreakerState.CLOSED),
        ("..xx", BreakerState.OPEN),
        ("...x", BreakerState.CLOSED),
        ("...xx", BreakerState.CLOSED),
        ("...xxx", BreakerState.OPEN),
        ("xx..", BreakerState.CLOSED),
        ("xx..x", BreakerState.OPEN),
    ],
)
def test_it_opens_at_a_failure_when_enough_requests_have_failed_in_the_wanted_share(
    text: str, state: BreakerState
) -> None:
    assert outcomes(text).state(len(text)) is state


def test_consecutive_failures_open_it_without_regard_to_the_share() -> None:
    breaker = played(min_requests=1000).succeeded(*range(50))
    assert breaker.failed(50, 51).state(52) is BreakerState.CLOSED
    assert breaker.failed(52).state(53) is BreakerState.OPEN


def test_a_success_begins_the_count_of_consecutive_failures_anew() -> None:
    breaker = played(min_requests=1000).failed(0, 1).succeeded(2).failed(3, 4)
    assert breaker.state(5) is BreakerState.CLOSED


@pytest.mark.parametrize(("later", "state"), [(59.9, BreakerState.OPEN), (60.0, BreakerState.CLOSED)])
def test_what_is_older_than_the_window_counts_no_more(later: float, state: BreakerState) -> None:
    breaker = played(consecutive_failures=100, min_requests=2).failed(0.0)
    assert breaker.failed(later).state(later) is state


def test_while_open_nothing_passes_and_the_view_says_for_how_long() -> None:
    breaker = opened()
    assert breaker.open_seconds(4.0) == 6.0
    assert not breaker.acquire(9.99)
    assert breaker.state(10.0) is BreakerState.HALF_OPEN


def test_half_open_only_so_many_probes_pass_at_a_time() -> None:
    breaker = opened()
    assert [breaker.acquire(10), breaker.acquire(10), breaker.acquire(10)] == [True, True, False]
    breaker.breaker.release()
    assert [breaker.acquire(11), breaker.acquire(11)] == [True, False]


def passed(breaker: Played, requests: int, now: float) -> int:
    return sum(breaker.acquire(now) for _ in range(requests))


def test_after_a_good_probe_a_tenth_then_half_then_all_requests_pass() -> None:
    breaker = opened().succeeded(10.0)
    assert breaker.breaker.ramp_percent == 10
    assert passed(breaker, 100, 10.0) == 10
    assert breaker.succeeded(10, 10).breaker.ramp_percent == 10
    assert breaker.succeeded(10).breaker.ramp_percent == 50
    assert passed(breaker, 100, 10.0) == 50
    assert breaker.succeeded(10, 10).state(10) is BreakerState.HALF_OPEN
    assert breaker.succeeded(10).breaker.view(10.0) == CLOSED
    assert passed(breaker, 100, 10.0) == 100


def test_the_first_request_after_a_good_probe_passes_so_that_rare_traffic_climbs_too() -> None:
    assert opened().succeeded(10.0).acquire(10.0)


@pytest.mark.parametrize(("later", "share"), [(14.9, 10), (15.0, 50), (19.9, 50), (20.0, None), (500.0, None)])
def test_stages_end_by_themselves_when_few_requests_come(later: float, share: int | None) -> None:
    breaker = opened().succeeded(10.0)
    assert (breaker.state(later) is BreakerState.CLOSED) is (share is None)
    breaker.acquire(later)
    assert breaker.breaker.ramp_percent == share


@pytest.mark.parametrize("successes", [0, 2, 3, 5])
def test_a_failure_on_the_ramp_opens_it_again_for_longer(successes: int) -> None:
    breaker = opened().succeeded(10.0).succeeded(*[10.0] * successes).failed(11)
    assert breaker.open_seconds(11) == 20
    assert breaker.breaker.ramp_percent is None


def test_once_closed_it_has_forgotten_what_was() -> None:
    breaker = opened().succeeded(10.0, *[10.0] * 6)
    assert breaker.failed(10, 11).state(11) is BreakerState.CLOSED


def test_after_a_mere_wait_a_good_probe_closes_it_at_once() -> None:
    breaker = played()
    breaker.breaker.wait(0.0, 5.0, RULES)
    assert breaker.succeeded(5.0).breaker.view(5.0) == CLOSED


def test_openings_that_follow_one_another_double_until_the_longest() -> None:
    breaker, now, seconds = opened(), 0.0, []
    for _ in range(5):
        seconds.append(breaker.open_seconds(now))
        now += seconds[-1]
        breaker.failed(now)
    assert seconds == [10, 20, 40, 40, 40]


def test_after_a_window_without_failures_the_next_opening_is_short_again() -> None:
    breaker = opened().failed(10.0)
    assert breaker.open_seconds(10.0) == 20
    breaker.succeeded(30.0, 31.0, 101.0).failed(102, 102, 102)
    assert breaker.open_seconds(102.0) == 10


def test_a_success_soon_after_closing_does_not_make_the_next_opening_short() -> None:
    breaker = opened().failed(10.0).succeeded(30.0, 41.0).failed(42, 42, 42)
    assert breaker.open_seconds(42.0) == 40


def test_opening_again_right_after_a_probe_succeeded_is_longer_still() -> None:
    breaker = opened().succeeded(10.0).failed(11, 11, 11)
    assert breaker.open_seconds(11.0) == 20


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
def test_an_opening_is_jittered_by_a_tenth(draw: float, seconds: float) -> None:
    assert played(draw).failed(0, 0, 0).open_seconds(0) == pytest.approx(seconds)


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 10), (2, 10), (25, 25), (3600, 40), (0, 10)])
def test_retry_after_lengthens_an_opening_up_to_the_longest_and_never_shortens_it(
    retry_after: float | None, seconds: float
) -> None:
    breaker = played().failed(0, 0).failed(0, retry_after_seconds=retry_after)
    assert breaker.open_seconds(0) == seconds


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 6), (3, 6), (30, 30), (3600, 40)])
def test_a_late_failure_while_open_extends_the_opening_only_by_its_retry_after(
    retry_after: float | None, seconds: float
) -> None:
    assert opened().failed(4, retry_after_seconds=retry_after).open_seconds(4) == seconds


def test_a_late_success_while_open_does_not_close_it() -> None:
    assert opened().succeeded(5.0).state(5.0) is BreakerState.OPEN


def test_a_wait_opens_for_as_long_as_was_asked_and_counts_no_failure() -> None:
    breaker = played()
    breaker.breaker.wait(0.0, 7.0, RULES)
    assert breaker.open_seconds(0) == 7.0
    assert breaker.breaker.window.failures == 0
    assert breaker.succeeded(7.0).failed(8, 9).state(9) is BreakerState.CLOSED


@pytest.mark.parametrize(("second", "seconds"), [(3, 8), (20, 20), (3600, 40)])
def test_a_second_longer_wait_extends_the_first_and_a_shorter_one_changes_nothing(
    second: float, seconds: float
) -> None:
    breaker = played()
    breaker.breaker.wait(0.0, 10.0, RULES)
    breaker.breaker.wait(2.0, second, RULES)
    assert breaker.open_seconds(2) == seconds


def test_being_asked_to_wait_no_time_at_all_does_not_hold_anybody_back() -> None:
    breaker = played()
    breaker.breaker.wait(0.0, 0.0, RULES)
    assert breaker.state(0.0) is BreakerState.CLOSED


def test_a_wait_does_not_make_the_next_opening_longer() -> None:
    breaker = played()
    breaker.breaker.wait(0.0, 5.0, RULES)
    assert breaker.failed(6).open_seconds(6) == 10


@pytest.mark.parametrize(
    ("provider", "policy", "rules"),
    [
        (CircuitBreaker(), CircuitBreaker(), BreakerRules()),
        (CircuitBreaker(open_seconds=7), CircuitBreaker(), BreakerRules(open_seconds=7)),
        (CircuitBreaker(open_seconds=7), CircuitBreaker(open_seconds=3), BreakerRules(open_seconds=3)),
        (
            CircuitBreaker(window_seconds=1, min_requests=2),
            CircuitBreaker(min_requests=9),
            BreakerRules(window_seconds=1, min_requests=9),
        ),
    ],
)
def test_rules_are_the_policys_else_the_providers_else_the_defaults(
    provider: CircuitBreaker, policy: CircuitBreaker, rules: BreakerRules
) -> None:
    assert BreakerRules.of(provider, policy) == rules


def registry(draw: Callable[[], float] = lambda: MIDDLE) -> BreakerRegistry:
    made = BreakerRegistry(draw)
    made.of("m", "one").wait(0.0, 10.0, RULES)
    made.of("other", "one")
    return made


def test_the_registry_keeps_one_breaker_for_each_model_and_endpoint() -> None:
    breakers = registry()
    assert breakers.view("m", "one", 0.0).state is BreakerState.OPEN
    assert breakers.view("m", "two", 0.0) == CLOSED
    assert sorted(breakers.snapshot(0.0)) == ["m@one", "other@one"]


def test_the_registry_forgets_models_and_endpoints_that_no_table_knows_and_no_others() -> None:
    breakers = registry()
    breakers.of("m", "renamed")
    breakers.retain({("m", "one"), ("other", "two")})
    assert list(breakers.snapshot(0.0)) == ["m@one"]
    assert breakers.view("m", "one", 0.0).state is BreakerState.OPEN
