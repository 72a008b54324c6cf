"""What admission does, as metrics."""

from __future__ import annotations

from fairlead_router.admit.limits import Admission, Refusal
from fairlead_router.record.metric_table import Metric
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.tallies import HistogramTally


def register_admission(metrics: Metrics, admission: Admission) -> None:
    """Let ``admission`` be seen at ``/metrics``."""
    waits = HistogramTally(Metric.QUEUE_WAIT.value)
    metrics.registry.register(waits)
    admission.waited = lambda seconds: waits.observe((), seconds)
    metrics.gauge(Metric.IN_FLIGHT, lambda: admission.in_flight)
    metrics.gauge(Metric.QUEUED, lambda: admission.queued)
    metrics.gauge(Metric.BUFFERED_BYTES, lambda: admission.buffers.held)
    # Every reason has a sample from the start, so that the first refusal is an increase.
    metrics.counter_of(Metric.REFUSED, lambda: [((each.value,), float(admission.refusals[each])) for each in Refusal])
