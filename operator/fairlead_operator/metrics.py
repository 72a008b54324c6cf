"""What the operator counts, in Prometheus' terms."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry for one process; nothing global."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.compilations = Counter("fairlead_operator_compilations", "Compilations.", registry=registry)
        self.compile_seconds = Histogram(
            "fairlead_operator_compile_seconds",
            "Time of a compilation.",
            registry=registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.publications = Counter(
            "fairlead_operator_publications", "Snapshots published, or not.", ["result"], registry=registry
        )
        self.snapshot_bytes = Gauge("fairlead_operator_snapshot_bytes", "Compressed size.", registry=registry)
        self.snapshot_revision = Gauge(
            "fairlead_operator_snapshot_revision", "Of the published one.", registry=registry
        )
        self.status_writes = Counter(
            "fairlead_operator_status_writes", "Status written, or not.", ["result"], registry=registry
        )
        self.events = Counter(
            "fairlead_operator_events", "Events posted, counted up, or held back.", ["posting"], registry=registry
        )
        self.watch_restarts = Counter(
            "fairlead_operator_watch_restarts", "Watches started anew.", ["reason"], registry=registry
        )
        self.watch_events = Counter("fairlead_operator_watch_events", "Events heard.", ["resource"], registry=registry)
        self.corrections = Counter(
            "fairlead_operator_list_corrections",
            "Objects about which a list knew what no watch had told.",
            ["resource", "what"],
            registry=registry,
        )
        self.objects = Gauge("fairlead_operator_objects", "Objects known.", ["resource"], registry=registry)
        self.last_list = Gauge(
            "fairlead_operator_last_list_timestamp_seconds", "When all lists last succeeded.", registry=registry
        )
        self.leader = Gauge("fairlead_operator_leader", "1 if this replica leads.", registry=registry)
        self.routers = Gauge("fairlead_operator_routers", "Ready routers.", ["state"], registry=registry)
        self.health_answers = Counter(
            "fairlead_operator_health_answers",
            "Routers asked how endpoints fare, and whether they said so.",
            ["result"],
            registry=registry,
        )
        self.epochs = Counter("fairlead_operator_history_losses", "New epochs begun.", registry=registry)
        for counter in (self.publications, self.status_writes, self.health_answers):
            counter.labels("failed")  # from zero: what grows from nothing, Prometheus does not see grow

    def stand_down(self) -> None:
        """This replica does not lead any more: what it knew as a leader is another's to say."""
        self.leader.set(0)
        self.routers.clear()
        self.snapshot_bytes.set(0)

    def render(self) -> bytes:
        """Text format."""
        return generate_latest(self._registry)
