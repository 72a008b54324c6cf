"""What is measured of calls, and when it is no longer known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dispatch.statistics import (
    ENOUGH_LATENCIES,
    ENOUGH_SUCCESSES,
    FRESH_SECONDS,
    HALF_LIFE_SECONDS,
    MOST_EVIDENCE,
    PEAK_HALF_LIFE_SECONDS,
    StatisticsRegistry,
)
from fairlead_router.select.statistics import NOTHING_KNOWN, EndpointStatistics

M, E = "team/p/m", "main"


def measured(*calls: tuple[float, float], first_byte: float | None = None) -> StatisticsRegistry:
    """Calls that ended at a time after so many seconds."""
    registry = StatisticsRegistry()
    for now, seconds in calls:
        registry.succeeded(M, E, now, seconds=seconds, first_byte=first_byte, output_tokens=5)
    return registry


def read(registry: StatisticsRegistry, now: float) -> EndpointStatistics:
    return registry.endpoint(M, E, now)


def test_a_slower_call_counts_in_full_at_once_and_faster_ones_bring_the_average_down_slowly() -> None:
    registry = measured((0, 0.2), (0, 2.0))
    assert read(registry, 0).total_seconds == 2.0
    registry.succeeded(M, E, PEAK_HALF_LIFE_SECONDS, seconds=0.2, first_byte=None, output_tokens=0)
    assert read(registry, PEAK_HALF_LIFE_SECONDS).total_seconds == pytest.approx(1.1)


def test_a_peak_that_is_old_is_unknown_and_the_next_call_begins_anew() -> None:
    registry = measured((0, 5.0))
    assert read(registry, FRESH_SECONDS - 0.1).total_seconds == 5.0
    assert read(registry, FRESH_SECONDS).total_seconds is None
    registry.succeeded(M, E, FRESH_SECONDS, seconds=0.1, first_byte=None, output_tokens=0)
    assert read(registry, FRESH_SECONDS).total_seconds == pytest.approx(0.1)


def test_a_stream_tells_of_its_first_byte_and_of_the_mean_but_not_of_whole_answers() -> None:
    found = read(measured(*[(0, 8.0)] * 3, first_byte=0.3), 0)
    assert (found.first_byte_seconds, found.total_seconds, found.mean_seconds) == (0.3, None, 8.0)


@pytest.mark.parametrize(("calls", "known"), [(2, None), (3, 0.5)])
def test_a_mean_latency_needs_some_evidence(calls: int, known: float | None) -> None:
    assert read(measured(*[(0, 0.5)] * calls), 0).mean_seconds == known


@pytest.mark.parametrize(("good", "bad", "share"), [(5, 4, None), (10, 0, 1_000_000), (8, 2, 800_000), (0, 10, 0)])
def test_the_share_of_successes_needs_ten_calls(good: int, bad: int, share: int | None) -> None:
    registry = measured(*[(0, 1.0)] * good)
    for _ in range(bad):
        registry.failed(M, E, 0, stream=False)
    assert read(registry, 0).success_ppm == share


@pytest.mark.parametrize("calls", [10, 1000, 100_000])
def test_whatever_keeps_a_model_away_is_forgotten_in_time(calls: int) -> None:
    registry = StatisticsRegistry()
    for _ in range(calls):
        registry.failed(M, E, 0, stream=False)
        registry.succeeded(M, E, 0, seconds=60.0, first_byte=None, output_tokens=1)
    halvings = 6
    assert MOST_EVIDENCE / 2**halvings < min(ENOUGH_LATENCIES, ENOUGH_SUCCESSES)
    assert read(registry, 0).success_ppm is not None
    assert read(registry, HALF_LIFE_SECONDS * halvings) == NOTHING_KNOWN


def test_a_quick_failure_says_nothing_of_speed_and_waiting_in_vain_says_at_least_that() -> None:
    registry = StatisticsRegistry()
    registry.failed(M, E, 0, stream=False)
    assert read(registry, 0).total_seconds is None
    registry.failed(M, E, 0, waited=20.0, stream=False)
    registry.failed(M, E, 0, waited=3.0, stream=True)
    assert (read(registry, 0).total_seconds, read(registry, 0).first_byte_seconds) == (20.0, 3.0)


def test_the_mean_length_of_answers_follows_the_newest() -> None:
    registry = StatisticsRegistry()
    assert registry.output_tokens(M) is None
    for tokens in (10, 20, 30):
        registry.succeeded(M, E, 0, seconds=1, first_byte=None, output_tokens=tokens)
    assert registry.output_tokens(M) == 20
    for _ in range(1000):
        registry.succeeded(M, E, 0, seconds=1, first_byte=None, output_tokens=100)
    assert registry.output_tokens(M) == pytest.approx(100, abs=0.1)


def test_an_endpoint_that_no_table_knows_is_forgotten_and_its_model_is_not() -> None:
    registry = measured((0, 1.0))
    registry.retain({(M, "another")})
    assert read(registry, 0) == NOTHING_KNOWN
    assert registry.output_tokens(M) is not None


def test_calls_that_run_are_counted_and_never_below_none() -> None:
    registry = StatisticsRegistry()
    registry.begin(M, E)
    registry.begin(M, E)
    registry.end(M, E)
    assert (registry.outstanding(M, E), read(registry, 0).outstanding) == (1, 1)
    registry.end(M, E)
    registry.end(M, E)
    assert registry.outstanding(M, E) == 0


def test_models_that_no_table_knows_are_forgotten_once_their_calls_are_over() -> None:
    registry = measured((0, 1.0))
    registry.begin(M, E)
    registry.retain(set())
    assert registry.outstanding(M, E) == 1
    registry.end(M, E)
    registry.retain(set())
    assert (read(registry, 0), registry.output_tokens(M)) == (NOTHING_KNOWN, None)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 100), st.booleans()), max_size=80))
def test_averages_lie_between_the_least_and_the_most_that_was_measured(
    calls: list[tuple[float, float, bool]],
) -> None:
    registry, now = StatisticsRegistry(), 0.0
    seconds = []
    for later, took, works in calls:
        now += later
        if works:
            seconds.append(took)
            registry.succeeded(M, E, now, seconds=took, first_byte=None, output_tokens=1)
        else:
            registry.failed(M, E, now, stream=False)
        found = read(registry, now)
        for average in (found.total_seconds, found.mean_seconds):
            assert average is None or min(seconds) - 1e-5 <= average <= max(seconds) + 1e-5
        assert found.success_ppm is None or 0 <= found.success_ppm <= 1_000_000
        middle = registry.median_seconds(M, E)
        assert middle is None or min(seconds) - 1e-4 <= middle <= max(seconds) + 1e-4
