"""Counters and histograms as plain numbers, turned into Prometheus' families when somebody asks.

One thread counts and renders, so nothing is locked: a request counts in a fifth of the time the client library takes.
Each metric has at most so many series; what would be one more is counted under :data:`OVERFLOW`, so that no mistake in a
label can fill the memory of the router or of the server that scrapes it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from fairlead_router.record.metric_table import MetricSpec

Labels = tuple[str, ...]

MAX_SERIES = 5_000
"""Series of one metric. A histogram's series is some 16 samples."""

OVERFLOW = "_overflow"
"""Value of every label of what is counted beyond the limit; no object of Kubernetes can have that name."""


class CounterTally(Collector):
    """A number that grows, for each combination of label values."""

    def __init__(self, spec: MetricSpec, *, max_series: int = MAX_SERIES) -> None:
        self._spec = spec
        self._values: dict[Labels, float] = {}
        self._max_series = max_series
        self._overflow = (OVERFLOW,) * len(self._spec.labels)
        self.overflows = 0

    @property
    def name(self) -> str:
        """As exposed."""
        return self._spec.exposed_name

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count ``amount``."""
        try:
            self._values[labels] += amount
        except KeyError:
            if len(self._values) >= self._max_series:
                self.overflows += 1
                labels = self._overflow
            self._values[labels] = self._values.get(labels, 0.0) + amount

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        family = CounterMetricFamily(self._spec.name, self._spec.help, labels=self._spec.labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class _Series:
    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class HistogramTally(Collector):
    """Values sorted into buckets, for each combination of label values; without labels there is one from the start."""

    def __init__(self, spec: MetricSpec, *, max_series: int = MAX_SERIES) -> None:
        self._spec = spec
        self._bounds = [float(bound) for bound in self._spec.buckets]
        self._series: dict[Labels, _Series] = {} if self._spec.labels else {(): self._new()}
        self._max_series = max_series
        self._overflow = (OVERFLOW,) * len(self._spec.labels)
        self.overflows = 0

    @property
    def name(self) -> str:
        """As exposed."""
        return self._spec.exposed_name

    def observe(self, labels: Labels, value: float) -> None:
        """Sort ``value`` into the first bucket whose bound is not below it."""
        series = self._series.get(labels)
        if series is None:
            series = self._begin(labels)
        series.counts[bisect_left(self._bounds, value)] += 1
        series.total += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        family = HistogramMetricFamily(self._spec.name, self._spec.help, labels=self._spec.labels)
        bounds = [*map(repr, self._bounds), "+Inf"]
        for labels, series in self._series.items():
            buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(series.counts), strict=True)]
            family.add_metric(labels, buckets, sum_value=series.total)
        yield family

    def _begin(self, labels: Labels) -> _Series:
        if len(self._series) >= self._max_series:
            self.overflows += 1
            labels = self._overflow
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = self._new()
        return series

    def _new(self) -> _Series:
        return _Series(len(self._bounds) + 1)


Samples = Iterable[tuple[Labels, float]]


class _Reading(Collector):
    """Values that are read when somebody asks."""

    family: type[GaugeMetricFamily | CounterMetricFamily]

    def __init__(self, spec: MetricSpec, read: Callable[[], Samples]) -> None:
        self._spec = spec
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        family = self.family(self._spec.name, self._spec.help, labels=self._spec.labels)
        for labels, value in self._read():
            family.add_metric(labels, value)
        yield family


class GaugeReading(_Reading):
    """Values as they are."""

    family = GaugeMetricFamily


class CounterReading(_Reading):
    """Numbers that grow elsewhere."""

    family = CounterMetricFamily
