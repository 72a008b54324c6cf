"""What to do about the workers, as a pure function of what is known of them.

A slot is a place among the workers, with a listening socket of its own that outlives whoever accepts on it: what waits in its
queue is lost only with the supervisor. A slot without a worker that serves is served by the others meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

START_SECONDS = 60.0
"""How long a worker may take until it runs the configuration."""

SILENT_SECONDS = 30.0
"""A worker that says nothing for so long hangs; it says something every other second."""

MAX_FAILED_STARTS = 3
"""Starts in a row that may fail before it is no accident."""

QUICK_SECONDS = 5.0
"""A worker that ends unasked this soon counts as one that could not be started."""

_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.5, 30.0


class Phase(StrEnum):
    """The life of a worker."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. Times are monotonic seconds."""

    number: int
    """Grows with each start."""
    slot: int
    generation: int
    """Grows with each rolling restart."""
    phase: Phase
    started_at: float
    heard_at: float
    up: bool
    """Its admin API answers."""
    configured: bool
    """It runs a snapshot, and none older than what all others are known to run."""
    told: tuple[tuple[int, ...], bool] | None = None
    """Slots to listen on, and readiness, as it was told last."""
    killed: bool = False
    """It was ended by force and is gone in a moment."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """What became of the last workers of a slot: starts that failed in a row, and when the last worker ended unasked."""

    failed_starts: int = 0
    at: float = 0.0

    @property
    def retry_at(self) -> float:
        """When the next start may be tried. A worker that had served is replaced at once."""
        if not self.failed_starts:
            return self.at
        # The exponent is bounded so that the power is: failures in a row are not.
        return self.at + min(_MAX_BACKOFF_SECONDS, _BACKOFF_SECONDS * 2.0 ** min(self.failed_starts - 1, 16))

    def after(self, worker: Worker, now: float) -> Deaths:
        """``worker`` of the slot ended unasked."""
        failed = worker.phase is Phase.STARTING or now - worker.started_at < QUICK_SECONDS
        return Deaths(self.failed_starts + 1 if failed else 0, now)


@dataclass(frozen=True, slots=True)
class Fleet:
    """All there is to know for a decision."""

    slots: int
    generation: int
    workers: tuple[Worker, ...]
    deaths: Mapping[int, Deaths] = field(default_factory=dict)
    """By slot."""
    configuration_known: bool = False
    """Whether there is a snapshot to hand to a worker."""
    opened: bool = False
    """Whether readiness said yes once."""
    ever_served: bool = False
    needs_watcher: bool = False
    watcher: int | None = None
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """A process for this slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Admit:
    """It may serve from now on."""

    number: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Listen on these slots, say this about readiness."""

    number: int
    slots: tuple[int, ...]
    ready: bool


@dataclass(frozen=True, slots=True)
class SetWatching:
    """Follow the doors for all."""

    number: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Serve what you have, then end."""

    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End it now."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class EndRoll:
    """The restart fails: those that serve stay as they are."""

    slot: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing serves and nothing will."""

    why: str


Action = Start | Admit | Tell | SetWatching | Retire | Kill | EndRoll | GiveUp


def plan(fleet: Fleet, now: float) -> list[Action]:
    """What to do now. Done, it is not asked for again; call it after everything that is done or happens, and every second."""
    if fleet.stopping:
        return [Retire(worker.number) for worker in fleet.workers if worker.phase is not Phase.LEAVING]
    failed = [(slot, deaths) for slot, deaths in fleet.deaths.items() if deaths.failed_starts]
    serving = [worker for worker in fleet.workers if worker.phase is Phase.SERVING]
    if not serving and any(d.failed_starts >= (MAX_FAILED_STARTS if fleet.ever_served else 1) for _, d in failed):
        return [GiveUp("its workers cannot be started")]
    kills = list(_kills(fleet, now))
    return [
        *kills,
        *_admissions(fleet),
        *_starts(fleet, now),
        *_rolling(fleet, now),
        *_listening(fleet),
        *_watching(fleet),
    ]


def next_look(fleet: Fleet, now: float) -> float:
    """Seconds until something may be due although nothing happens."""
    waits = [deaths.retry_at - now for deaths in fleet.deaths.values() if deaths.retry_at > now]
    return max(0.01, min([1.0, *waits]))


def _kills(fleet: Fleet, now: float) -> Iterator[Kill]:
    for worker in fleet.workers:
        if worker.killed:
            continue
        if now - worker.heard_at > SILENT_SECONDS:
            yield Kill(worker.number, f"it said nothing for {SILENT_SECONDS:.0f} s")
        elif worker.phase is Phase.STARTING and now - worker.started_at > START_SECONDS:
            yield Kill(worker.number, f"it was not ready after {START_SECONDS:.0f} s")


def _admissions(fleet: Fleet) -> Iterator[Admit]:
    """Without any configuration a worker serves too: it says so to whoever asks."""
    for worker in fleet.workers:
        if worker.phase is Phase.STARTING and worker.up and (worker.configured or not fleet.configuration_known):
            yield Admit(worker.number)


def _starts(fleet: Fleet, now: float) -> Iterator[Start]:
    taken = {worker.slot for worker in fleet.workers if worker.phase is not Phase.LEAVING}
    for slot in range(fleet.slots):
        if slot not in taken and now >= fleet.deaths.get(slot, Deaths()).retry_at:
            yield Start(slot)


def _rolling(fleet: Fleet, now: float) -> Iterator[Action]:
    """One after the other, and the memory of one more at most: the next begins when the one before is gone."""
    serving = [worker for worker in fleet.workers if worker.phase is Phase.SERVING]
    fresh = {worker.slot for worker in serving if worker.generation == fleet.generation}
    stale = sorted(
        (worker for worker in serving if worker.generation < fleet.generation), key=lambda worker: worker.slot
    )
    for worker in stale:
        if worker.slot in fresh:
            yield Retire(worker.number)
            return
    if not stale or len(fleet.workers) > fleet.slots or len(serving) < fleet.slots:
        return
    slot = stale[0].slot
    deaths = fleet.deaths.get(slot, Deaths())
    if deaths.failed_starts >= MAX_FAILED_STARTS:
        yield EndRoll(slot)
    elif now >= deaths.retry_at:
        yield Start(slot)


def _listening(fleet: Fleet) -> Iterator[Tell]:
    """Each slot's socket to the newest worker of the slot; one without a worker to the others, in turn."""
    serving = sorted(
        (worker for worker in fleet.workers if worker.phase is Phase.SERVING), key=lambda worker: worker.number
    )
    if not serving:
        return
    owners = {worker.slot: worker for worker in serving}
    # Whoever is replaced goes on accepting until it leaves: not before its successor was told to begin.
    heirs = sorted(owners.values(), key=lambda worker: worker.slot)
    slots: dict[int, list[int]] = {worker.number: [] for worker in heirs}
    for slot in range(fleet.slots):
        slots[owners.get(slot, heirs[slot % len(heirs)]).number].append(slot)
    ready = fleet.opened or (len(owners) == fleet.slots and all(worker.configured for worker in serving))
    for worker in heirs:
        wanted = (tuple(slots[worker.number]), ready)
        if wanted != worker.told:
            yield Tell(worker.number, *wanted)


def _watching(fleet: Fleet) -> Iterator[SetWatching]:
    if not fleet.needs_watcher:
        return
    serving = [worker for worker in fleet.workers if worker.phase is Phase.SERVING]
    if serving and fleet.watcher not in {worker.number for worker in serving}:
        yield SetWatching(max(serving, key=lambda worker: (worker.generation, -worker.slot)).number)
