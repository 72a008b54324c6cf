"""Tallies say in Prometheus' format what they were told, as the client library's own metrics do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_router.record.metric_table import MetricSpec, MetricType
from fairlead_router.record.tallies import OVERFLOW, CounterTally, HistogramTally

BOUNDS = (0.1, 1.0, 5.0)
THINGS = MetricSpec("things", MetricType.COUNTER, "Things.", ("kind",))
SECONDS = MetricSpec("seconds", MetricType.HISTOGRAM, "Seconds.", ("kind",), BOUNDS)


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
    tally = CounterTally(THINGS)
    ours.register(tally)
    counter = Counter("things", "Things.", ["kind"], registry=theirs)
    for kind, amount in counted:
        tally.add((kind,), amount)
        counter.labels(kind).inc(amount)
    assert samples(ours) == samples(theirs)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 1.5, 5.0, 99.0]))))
def test_a_histogram_says_what_the_librarys_histogram_says(seen: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = HistogramTally(SECONDS)
    ours.register(tally)
    histogram = Histogram("seconds", "Seconds.", ["kind"], buckets=BOUNDS, registry=theirs)
    for kind, value in seen:
        tally.observe((kind,), value)
        histogram.labels(kind).observe(value)
    assert samples(ours) == samples(theirs)


def test_a_histogram_without_labels_is_there_before_anything_was_observed() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(HistogramTally(MetricSpec("seconds", MetricType.HISTOGRAM, "Seconds.", (), BOUNDS)))
    Histogram("seconds", "Seconds.", buckets=BOUNDS, registry=theirs)
    assert samples(ours) == samples(theirs)


def test_a_metric_never_has_more_series_than_it_may_and_loses_no_value() -> None:
    registry = CollectorRegistry()
    counter, histogram = CounterTally(THINGS, max_series=3), HistogramTally(SECONDS, max_series=3)
    registry.register(counter)
    registry.register(histogram)
    for number in range(100):
        counter.add((f"kind-{number}",))
        histogram.observe((f"kind-{number}",), 0.5)
    counter.add(("kind-0",))
    found = samples(registry)
    counted = {labels: value for (name, labels), value in found.items() if name == "things_total"}
    assert counted == {
        (("kind", "kind-0"),): 2,
        (("kind", "kind-1"),): 1,
        (("kind", "kind-2"),): 1,
        (("kind", OVERFLOW),): 97,
    }
    assert found["seconds_count", (("kind", OVERFLOW),)] == 97
    assert (counter.overflows, histogram.overflows) == (97, 97)
