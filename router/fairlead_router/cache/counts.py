"""What the room counts."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from fairlead_contract.decision import CacheResult
from fairlead_router.record.metric_table import Metric
from fairlead_router.record.tallies import CounterTally


class Fault(StrEnum):
    """Why something kept was of no use, or could not be kept."""

    UNREADABLE = "unreadable"
    """Changed, moved, of another version, or sealed with another key: a rotated one, or the same store under two keys."""
    SLOW = "slow"
    UNREACHABLE = "unreachable"
    CROWDED = "crowded"
    """The answers that were being taken down or kept were as much as may be held at once."""


class Repeat(StrEnum):
    """What became of a request with an Idempotency-Key."""

    FIRST = "first"
    """It went on its way."""
    REPLAYED = "replayed"
    REUSED = "reused"
    """Refused: the key was that of another body."""
    CONFLICT = "conflict"
    """Refused: the first is still under way, or its answer was too large to be kept."""


class CacheCounts(Collector):
    """Counters of the response cache and of Idempotency-Key; registered once with the others."""

    def __init__(self) -> None:
        self._requests = CounterTally(Metric.CACHE_REQUESTS.value)
        self._bytes = CounterTally(Metric.CACHE_BYTES.value)
        self._faults = CounterTally(Metric.CACHE_FAULTS.value)
        self._repeats = CounterTally(Metric.IDEMPOTENT_REQUESTS.value)
        for direction in ("stored", "served"):
            self._bytes.add((direction,), 0)
        for result in CacheResult:
            self._requests.add((result.value.lower(),), 0)
        for fault in Fault:
            self._faults.add((fault.value,), 0)
        for repeat in Repeat:
            self._repeats.add((repeat.value,), 0)

    def asked(self, result: CacheResult) -> None:
        """A request of a policy with a cache."""
        self._requests.add((result.value.lower(),))

    def repeated(self, repeat: Repeat) -> None:
        """A request with an Idempotency-Key."""
        self._repeats.add((repeat.value,))

    def stored(self, size: int) -> None:
        """Bytes of an answer that is kept now."""
        self._bytes.add(("stored",), size)

    def served(self, size: int) -> None:
        """Bytes of an answer given again."""
        self._bytes.add(("served",), size)

    def fault(self, fault: Fault) -> None:
        """Something kept was of no use."""
        self._faults.add((fault.value,))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        for tally in (self._requests, self._bytes, self._faults, self._repeats):
            yield from tally.collect()
