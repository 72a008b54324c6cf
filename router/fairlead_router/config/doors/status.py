"""What is known of each door: whether it reaches its source, when it last did, what it saw there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fairlead_router.record.metric_table import Metric


class DoorName(StrEnum):
    """The doors, by the name that stands in ``source``, in metrics and at ``/-/config``."""

    API = "api"
    FILE = "file"
    LAST_GOOD = "last-good"


class DoorReport(msgspec.Struct, frozen=True, rename="camel"):
    """One door, as people see it."""

    connected: bool
    """Whether the source can be reached, not whether it holds anything good."""
    last_contact: float | None
    """Wall clock, seconds."""
    error: str | None
    epoch: int | None
    revision: int | None
    """Of the snapshot that lay there last, whether or not it runs."""


class Door:
    """What one door says of itself. ``clock``: wall clock, seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._opened = clock()
        self._last_contact: float | None = None
        self._version: tuple[int, int] | None = None
        self.connected = False
        self.error: str | None = None

    def reached(self, error: str | None = None) -> None:
        """The source answered; ``error`` says what is wrong with what it holds."""
        self._last_contact = self._clock()
        self.connected, self.error = True, error

    def confirmed(self) -> None:
        """The source answered, and holds what it held."""
        self._last_contact = self._clock()

    def lost(self, error: str) -> None:
        """The source cannot be reached."""
        self.connected, self.error = False, error

    def saw(self, version: tuple[int, int]) -> None:
        """Remember which snapshot lay there."""
        self._version = version

    @property
    def age(self) -> float:
        """Seconds since the source last answered, or since the door was opened."""
        since = self._opened if self._last_contact is None else self._last_contact
        return max(0.0, self._clock() - since)

    def report(self) -> DoorReport:
        """Its present state."""
        epoch, revision = self._version or (None, None)
        return DoorReport(self.connected, self._last_contact, self.error, epoch, revision)


class Doors:
    """All doors that are in use."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.open: dict[DoorName, Door] = {}

    def add(self, name: DoorName) -> Door:
        """Begin to show ``name``."""
        door = self.open[name] = Door(self._clock)
        return door

    def report(self) -> dict[str, DoorReport]:
        """All of them, by name."""
        return {name.value: door.report() for name, door in self.open.items()}


class DoorGauges(Collector):
    """The doors in Prometheus' form. A door that is not in use has no sample."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See ``prometheus_client.registry.Collector``."""
        spec = Metric.CONFIG_SOURCE_CONNECTED.value
        connected = GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
        for name, door in self._doors.open.items():
            connected.add_metric([name.value], float(door.connected))
        yield connected
        spec = Metric.CONFIG_AGE.value
        age = GaugeMetricFamily(spec.name, spec.help)
        api = self._doors.open.get(DoorName.API)
        if api is not None:
            age.add_metric([], api.age)
        yield age
