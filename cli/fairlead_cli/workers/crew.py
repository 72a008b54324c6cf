"""The workers of a supervisor: what is known of each, and how a plan is carried out."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from fairlead_cli.files.frames import Frame
from fairlead_cli.workers.admin import Admin, Ledger, Member
from fairlead_cli.workers.children import Ended, WorkerProcess
from fairlead_cli.workers.configuration import Handouts
from fairlead_cli.workers.merge_metrics import Exposition, Family
from fairlead_cli.workers.messages import (
    Beat,
    Compiled,
    Farewell,
    FromWorker,
    Hurry,
    Leave,
    Listen,
    Offer,
    Place,
    Runs,
    Started,
    ToWorker,
    Watch,
)
from fairlead_cli.workers.plan import (
    Action,
    Admit,
    Deaths,
    EndRoll,
    Fleet,
    GiveUp,
    Kill,
    Phase,
    Retire,
    SetWatching,
    Start,
    Tell,
    Worker,
    plan,
)
from fairlead_router.settings import Settings

logger = logging.getLogger("fairlead.supervisor")


class Crew:
    """All workers. An :class:`~fairlead_cli.compiler_child.Audience` too: what the compiler says goes to each of them."""

    def __init__(
        self,
        command_line: Sequence[str],
        settings: Settings,
        sockets: Sequence[socket.socket],
        runtime: Path,
        *,
        watching: bool,
    ) -> None:
        self._command_line = command_line
        self._settings = settings
        self._sockets = sockets
        self._runtime = runtime
        self.state_socket = runtime / "state.sock" if settings.redis_url is None else None
        """Where the store of this machine listens; ``None`` with Redis, which is shared with other machines too."""
        self.ledger = Ledger()
        self.admin: Admin | None = None
        self.opened = asyncio.Event()
        self.failure: str | None = None
        self.notice_seconds = 0.0
        self._handouts = Handouts()
        self._workers: dict[int, Worker] = {}
        self._processes: dict[int, WorkerProcess] = {}
        self._versions: dict[int, tuple[int, int]] = {}
        self._fleet = Fleet(slots=len(sockets), generation=0, workers=(), needs_watcher=watching)
        self._deaths: dict[int, Deaths] = {}
        self._numbers = 0
        self._exits: dict[str, int] = {}
        self._something = asyncio.Event()
        self._settling: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------------------ what is asked for

    @property
    def stopping(self) -> bool:
        """Whether the workers are to end."""
        return self._fleet.stopping

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self._fleet.stopping and not self._workers

    def stop(self, notice_seconds: float) -> None:
        """Let all workers end; asked again, at once."""
        if self._fleet.stopping:
            self._tell_all(Hurry())
        else:
            logger.info("stopping: requests in flight have %.0f s", self._settings.shutdown_seconds)
            self.notice_seconds = notice_seconds
            self._fleet = replace(self._fleet, stopping=True)
            # Workers let go of them too: what comes after the last one has gone must be refused, not kept waiting.
            for each in self._sockets:
                each.close()
        self._something.set()

    def roll(self) -> None:
        """Replace all workers, one after the other."""
        logger.info("restarting all workers, one after the other")
        self.degraded("restart", None)
        self._fleet = replace(self._fleet, generation=self._fleet.generation + 1)
        self._something.set()

    def kill_all(self) -> None:
        """End all processes now."""
        for process in self._processes.values():
            process.kill()

    async def news(self, seconds: float) -> None:
        """Wait until something happens, at most ``seconds``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        self._something.clear()

    # ------------------------------------------------------------------------------------------ what they are given

    async def compiled(self, frame: Frame) -> None:
        """See :class:`~fairlead_cli.compiler_child.Audience`."""
        self._hand_out(Compiled(frame))

    def degraded(self, component: str, state: str | None) -> None:
        """See :class:`~fairlead_cli.compiler_child.Audience`."""
        self._tell_all(self._handouts.state(component, state))

    def _hand_out(self, message: Compiled | Offer, *, but: int | None = None) -> None:
        self._handouts.came(message)
        for number, process in self._processes.items():
            if number != but and self._workers[number].up:
                process.tell(message)

    def _tell_all(self, message: ToWorker) -> None:
        for process in self._processes.values():
            process.tell(message)

    # ------------------------------------------------------------------------------------------ what they say

    def members(self) -> Iterable[Member]:
        """Those that can be asked: they serve, or finish what they began."""
        return [
            Member(worker.number, worker.slot, str(self._admin_socket(worker.number)), worker.phase is Phase.LEAVING)
            for worker in sorted(self._workers.values(), key=lambda worker: (worker.slot, -worker.number))
            if worker.phase is not Phase.STARTING
        ]

    def counted(self) -> Exposition:
        """What the supervisor itself knows, as metrics."""
        phases = {f'fairlead_workers{{phase="{phase.value}"}}': 0.0 for phase in Phase}
        for worker in self._workers.values():
            phases[f'fairlead_workers{{phase="{worker.phase.value}"}}'] += 1
        exits = {f'fairlead_worker_exits_total{{reason="{reason}"}}': float(n) for reason, n in self._exits.items()}
        return {
            "fairlead_workers": Family(
                "gauge", _head("fairlead_workers", "gauge", "Router processes of this machine."), phases
            ),
            "fairlead_worker_exits_total": Family(
                "counter",
                _head("fairlead_worker_exits_total", "counter", "Workers that ended without being told to."),
                exits,
            ),
        }

    def _hear(self, number: int, message: FromWorker) -> None:
        worker = self._workers.get(number)
        if worker is None:
            return
        worker = replace(worker, heard_at=time.monotonic())
        match message:
            case Started():
                worker = replace(worker, up=True)
                for handout in self._handouts.for_newcomer():
                    self._processes[number].tell(handout)
                if self.admin is not None and self.admin.settled:
                    self._settle(worker)
            case Runs(epoch, revision):
                self._versions[number] = (epoch, revision)
                self._handouts.runs((epoch, revision))
            case Offer():
                self._hand_out(message, but=number)
            case Farewell(metrics):
                self.ledger.saw(number, metrics)
            case Leave():
                worker = replace(worker, phase=Phase.LEAVING)
            case Beat():
                pass
        self._workers[number] = worker
        if not isinstance(message, Beat):
            self._something.set()

    def _settle(self, worker: Worker) -> None:
        assert self.admin is not None
        member = Member(worker.number, worker.slot, str(self._admin_socket(worker.number)), leaving=False)
        task = asyncio.get_running_loop().create_task(self.admin.settle(member))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _gone(self, number: int, ended: Ended) -> None:
        worker = self._workers.pop(number)
        del self._processes[number]
        self._versions.pop(number, None)
        self.ledger.gone(number)
        self._something.set()
        if worker.phase is Phase.LEAVING and ended.status == 0:
            logger.info("worker %d has ended", worker.slot)
            return
        reason = f"signal {-ended.status}" if ended.status < 0 else f"status {ended.status}"
        self._exits[reason] = self._exits.get(reason, 0) + 1
        logger.error("worker %d (process %d of this slot): %s", worker.slot, number, ended)
        if worker.phase is not Phase.LEAVING:
            self._deaths[worker.slot] = self._deaths.get(worker.slot, Deaths()).after(worker, time.monotonic())
            self.degraded(f"worker {worker.slot}", f"WorkerDown: {ended}; others serve in its place until it is back")

    # ------------------------------------------------------------------------------------------ what is done

    def fleet(self) -> Fleet:
        """All there is to know for a plan."""
        least = self._handouts.running_version
        workers = tuple(
            replace(worker, configured=number in self._versions and (least is None or self._versions[number] >= least))
            if worker.phase is Phase.STARTING
            else replace(worker, configured=number in self._versions)
            for number, worker in self._workers.items()
        )
        return replace(self._fleet, workers=workers, deaths=dict(self._deaths), configuration_known=least is not None)

    def step(self, now: float) -> None:
        """Look at what is and do what there is to do now."""
        for action in plan(self.fleet(), now):
            self._do(action, now)
            # What is done may ask for more.
            self._something.set()

    def _do(self, action: Action, now: float) -> None:
        match action:
            case Start(slot):
                self._start(slot, now)
            case Admit(number):
                worker = self._workers[number]
                self._change(number, phase=Phase.SERVING)
                self._fleet = replace(self._fleet, ever_served=True)
                self.degraded(f"worker {worker.slot}", None)
                logger.info("worker %d serves", worker.slot)
            case Tell(number, slots, ready):
                self._change(number, told=(slots, ready))
                self._processes[number].tell(Listen(slots, ready))
                if ready and not self._fleet.opened:
                    self._fleet = replace(self._fleet, opened=True)
                    self.opened.set()
            case SetWatching(number):
                self._fleet = replace(self._fleet, watcher=number)
                self._processes[number].tell(Watch())
            case Retire(number):
                self._change(number, phase=Phase.LEAVING)
                self._processes[number].tell(Leave(self.notice_seconds))
            case Kill(number, why):
                logger.error("worker %d is ended: %s", self._workers[number].slot, why)
                self._change(number, killed=True)
                self._processes[number].kill()
            case EndRoll(slot):
                logger.error("worker %d cannot be started anew: the restart ends, those that serve stay", slot)
                self._deaths.pop(slot, None)
                self.degraded(f"worker {slot}", None)
                self.degraded("restart", f"RestartFailed: worker {slot} could not be started anew; the old ones serve")
                for number in self._workers:
                    self._change(number, generation=self._fleet.generation)
            case GiveUp(why):
                logger.error("giving up: %s", why)
                self.failure = why
                self._fleet = replace(self._fleet, stopping=True)
                self.kill_all()

    def _start(self, slot: int, now: float) -> None:
        self._numbers += 1
        number = self._numbers
        process = WorkerProcess(partial(self._hear, number), partial(self._gone, number))
        self._processes[number] = process
        self._workers[number] = Worker(
            number, slot, self._fleet.generation, Phase.STARTING, now, now, up=False, configured=False
        )
        self.ledger.began(number)
        place = Place(
            slot,
            tuple(each.fileno() for each in self._sockets),
            str(self._runtime),
            str(self._admin_socket(number)),
            None if self.state_socket is None else str(self.state_socket),
            self._settings.draw_key,
        )
        process.start(self._command_line, place)

    def _change(self, number: int, **changes: object) -> None:
        self._workers[number] = replace(self._workers[number], **changes)  # type: ignore[arg-type]

    def _admin_socket(self, number: int) -> Path:
        return self._runtime / f"admin-{number}.sock"


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
