"""Metrics that are read when somebody asks, each from the part of the router that knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.service import ClassifierService
from fairlead_router.config.doors.status import DoorGauges, Doors
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.refusals import RefusalCounter
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.sharing import BreakerSharing
from fairlead_router.record.health import health_scores
from fairlead_router.record.lines import LineWriter
from fairlead_router.record.metric_table import Metric
from fairlead_router.record.metrics import Metrics
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.trace.telemetry import Telemetry


def register_configuration(metrics: Metrics, receiver: ConfigReceiver, doors: Doors) -> None:
    """What runs, and where it comes from."""
    metrics.gauge(Metric.CONFIG_EPOCH, lambda: receiver.table.used.epoch)
    metrics.gauge(Metric.CONFIG_REVISION, lambda: receiver.table.used.revision)
    metrics.gauge(Metric.CONFIG_RELOAD_SUCCESS, lambda: receiver.last_offer_runs)
    metrics.gauge(Metric.CONFIG_PENDING_CREDENTIALS, lambda: len(receiver.table.pending))
    metrics.registry.register(DoorGauges(doors))
    metrics.registry.register(RefusalCounter(receiver))


def register_health(
    metrics: Metrics,
    receiver: ConfigReceiver,
    dispatcher: Dispatcher,
    clock: Callable[[], float],
) -> None:
    """How far the providers can be relied on. ``clock``: monotonic seconds."""
    breakers, checks = dispatcher.breakers, dispatcher.health
    metrics.gauge_of(Metric.HEALTH_SCORE, lambda: health_scores(receiver.table, breakers, checks, clock()))
    metrics.counter_of(Metric.RETRIES_WITHHELD, dispatcher.retry_budgets.withheld_by_provider)


def register_store(metrics: Metrics, store: ResilientStore, sharing: BreakerSharing) -> None:
    """Whether routers reach what they share."""
    metrics.gauge(Metric.STORE_AVAILABLE, lambda: store.available)
    metrics.gauge(Metric.STORE_OWED, lambda: store.owed_micro_usd / 1e6)
    metrics.gauge(Metric.BREAKER_SHARING_LAG, sharing.lag_seconds)


def register_classifier(metrics: Metrics, classifier: ClassifierService, counts: ClassifierCounts) -> None:
    """What becomes of classifications, and which bundle is in force."""
    metrics.registry.register(counts)
    metrics.gauge(Metric.CLASSIFIER_QUEUE, lambda: classifier.waiting)
    metrics.gauge_of(Metric.CLASSIFIER_BUNDLE, lambda: [((digest,), 1.0) for digest in classifier.bundles()])


def register_record(
    metrics: Metrics, lines: Sequence[LineWriter], telemetry: Telemetry | None, degraded: Mapping[str, str]
) -> None:
    """What became of records, lines and traces; what works less well than it should."""
    metrics.counter(Metric.LINES_DROPPED, lambda: sum(each.dropped for each in lines))
    metrics.gauge_of(Metric.DEGRADED, lambda: [((component,), 1.0) for component in sorted(degraded)])
    if telemetry is not None:
        metrics.counter_of(Metric.TELEMETRY_EXPORTED, telemetry.exported)
        metrics.counter_of(Metric.TELEMETRY_DROPPED, telemetry.dropped)
