"""Tallies say in Prometheus' format what they were told, as the client library's own metrics do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_router.record.tallies import CounterTally, HistogramTally

BOUNDS = (0.1, 1.0, 5.0)


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples but the times at which series began."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.tuples(st.sampled_from(["a", "b", 'c"\\\n']), st.integers(0, 1000))))
def test_a_counter_says_what_the_librarys_counter_says(counted: list[tuple[str, int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = CounterTally("things", "Things.", ["kind"])
    ours.register(tally)
    counter = Counter("things", "Things.", ["kind"], registry=theirs)
    for kind, amount in counted:
        tally.add((kind,), amount)
        counter.labels(kind).inc(amount)
    assert samples(ours) == samples(theirs)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 1.5, 5.0, 99.0]))))
def test_a_histogram_says_what_the_librarys_histogram_says(seen: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = HistogramTally("seconds", "Seconds.", ["kind"], BOUNDS)
    ours.register(tally)
    histogram = Histogram("seconds", "Seconds.", ["kind"], buckets=BOUNDS, registry=theirs)
    for kind, value in seen:
        tally.observe((kind,), value)
        histogram.labels(kind).observe(value)
    assert samples(ours) == samples(theirs)


def test_a_histogram_without_labels_is_there_before_anything_was_observed() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(HistogramTally("seconds", "Seconds.", [], BOUNDS))
    Histogram("seconds", "Seconds.", buckets=BOUNDS, registry=theirs)
    assert samples(ours) == samples(theirs)
