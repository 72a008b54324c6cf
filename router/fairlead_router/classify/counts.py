"""What the room counts."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from fairlead_contract.decision import Classification
from fairlead_router.record.metric_table import Metric
from fairlead_router.record.tallies import CounterTally, HistogramTally

NO_FALLBACK = "none"


class Found(StrEnum):
    """Where the learned classifier's answer to a text was found."""

    PROCESS = "process"
    """In this process's own memory."""
    STORE = "store"
    SHARED = "shared"
    """The same text was under way."""
    MISS = "miss"


class Loaded(StrEnum):
    """What became of a bundle or a file of rules that is new."""

    LOADED = "loaded"
    REFUSED = "refused"


class ClassifierCounts(Collector):
    """Counters and histograms of the classifier; registered once with the others."""

    def __init__(self) -> None:
        self._classified = CounterTally(Metric.CLASSIFICATIONS.value)
        self._duration = HistogramTally(Metric.CLASSIFICATION_DURATION.value)
        self._batches = HistogramTally(Metric.CLASSIFIER_BATCH_SIZE.value)
        self._found = CounterTally(Metric.CLASSIFIER_CACHE.value)
        self._loads = CounterTally(Metric.CLASSIFIER_LOADS.value)
        for found in Found:
            self._found.add((found.value,), 0)

    def classified(self, said: Classification) -> None:
        """One classification."""
        fallback = NO_FALLBACK if said.fallback is None else said.fallback.value
        self._classified.add((said.path.value, fallback))
        self._duration.observe((said.path.value,), said.microseconds / 1e6)

    def found(self, where: Found) -> None:
        """One text of which the rules were not sure."""
        self._found.add((where.value,))

    def batch(self, size: int) -> None:
        """Texts that the learned classifier was given in one go."""
        self._batches.observe((), size)

    def loaded(self, part: str, result: Loaded) -> None:
        """``part``: ``bundle`` or ``rules``."""
        self._loads.add((part, result.value))

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        yield from self._classified.collect()
        yield from self._duration.collect()
        yield from self._batches.collect()
        yield from self._found.collect()
        yield from self._loads.collect()
