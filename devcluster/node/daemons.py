"""Processes that outlive the command that started them, known by a file with their number.

No supervisor: a part that has died is seen by ``status`` and started again by ``up``, and tests stop and kill parts at will.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.apt import SEARCH_PATH
from devcluster.node.settings import ClusterFailed, Place

_POLL = 0.05
_DETACH = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True, slots=True)
class Daemon:
    """One program with its arguments."""

    name: str
    command: Sequence[str | Path]
    place: Place

    @property
    def log(self) -> Path:
        """What it prints; appended to by each start."""
        return self.place.logs / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.place.processes / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """Of the process that runs, if it does. Its start time is compared, as numbers are given out again."""
        try:
            pid, started = self._record.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if start_time(int(pid)) == started else None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid is not None:
            return
        command = ["/bin/sh", "-c", _DETACH, "sh", str(self.log), *map(str, self.command)]
        environment = {**os.environ, "PATH": SEARCH_PATH}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        pid = int(done.stdout)
        started = start_time(pid)
        if started is None:
            raise ClusterFailed(f"{self.name} ended at once. {self.last_words()}")
        draft = self._record.with_suffix(".tmp")
        draft.write_text(f"{pid} {started}")
        draft.replace(self._record)

    def stop(self, seconds: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after ``seconds``; returns when it has ended."""
        if not self.send(signal.SIGTERM):
            return
        self.send(signal.SIGCONT)
        if not self._ended(seconds):
            self.kill()

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        if self.send(signal.SIGKILL) and not self._ended(10.0):
            raise ClusterFailed(f"{self.name} does not end after SIGKILL.")

    def send(self, number: signal.Signals) -> bool:
        """Whether there was a process to send the signal to."""
        pid = self.pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Ask until it holds. Raises ``ClusterFailed`` with the log if the process ends or the time passes first."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.pid is None:
                raise ClusterFailed(f"{self.name} ended before {what}. {self.last_words()}")
            if time.monotonic() > deadline:
                raise ClusterFailed(f"{what}: not within {seconds:g} s. {self.last_words()}")
            time.sleep(_POLL)

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, for messages."""
        try:
            text = "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            text = "(no log)"
        return f"The end of {self.log}:\n{text}"

    def _ended(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(_POLL)
        return self.pid is None


def start_time(pid: int) -> str | None:
    """In ticks since boot; ``None`` for a process that is not there, or dead and not yet collected."""
    process = Path(f"/proc/{pid}")
    try:
        # The name, in parentheses, may hold anything.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        # Its first thread may be dead while others still hold its ports and files.
        ended = fields[0] in "ZX" and len(os.listdir(process / "task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if ended else fields[19]
