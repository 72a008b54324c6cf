"""Refused snapshots as a metric, by reason."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from fairlead_contract.snapshot import RejectReason
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.record.metric_table import Metric


class RefusalCounter(Collector):
    """Every reason has a sample from the start, so that the first refusal is an increase."""

    def __init__(self, receiver: ConfigReceiver) -> None:
        self._receiver = receiver

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        spec = Metric.CONFIG_REJECTIONS.value
        counter = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
        for reason in RejectReason:
            counter.add_metric([reason.value], self._receiver.rejections.get(reason, 0))
        yield counter
