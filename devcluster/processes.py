"""A child process with a log that can be stopped, killed, paused and started again, and that never outlives its parent.

``subprocess`` rather than the subprocesses of asyncio: those belong to one event loop, and tests have a loop each while the
control plane is shared.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

# A small program before the real one, as running Python between fork and exec (preexec_fn) can deadlock when there are threads.
# The signal at the parent's death survives an exec; who lost its parent before asking for the signal must see that itself.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent has gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
_POLL = 0.05


class ProcessFailed(Exception):
    """A process ended by itself, or did not do what was waited for; the message ends with its log."""


class Process:
    """One program, one log file, any number of runs.

    It is killed when the thread that called ``start`` ends (``PR_SET_PDEATHSIG``), so start it where the event loop runs. It
    has its own session: Ctrl-C reaches the parent alone, which then stops it in order.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Without an ``environment`` it has ours."""
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended; a paused process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Raises ``ProcessFailed`` if it does not run."""
        if self._child is None or self._child.poll() is not None:
            raise self._failure("does not run")
        return self._child.pid

    def start(self) -> None:
        """Start it, unless it runs. The log is appended to."""
        if self.running:
            return
        launcher = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*launcher, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    async def stop(self, timeout: float = 10.0) -> None:
        """Ask it to end, and kill it after ``timeout`` seconds."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        if not await self._ended(timeout):
            await self.kill()

    async def kill(self) -> None:
        """``kill -9``: no goodbye to clients, nothing is flushed."""
        self._signal(signal.SIGKILL)
        if not await self._ended(10.0):
            raise self._failure("does not end after SIGKILL")

    async def restart(self, timeout: float = 10.0) -> None:
        """Stop and start with the same command and addresses."""
        await self.stop(timeout)
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered, as on a node that hangs."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after ``pause``."""
        self._signal(signal.SIGCONT)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], what: str, timeout: float = 30.0) -> None:
        """Ask until it holds. Raises ``ProcessFailed`` with the log if the process ends or ``timeout`` seconds pass first."""
        deadline = time.monotonic() + timeout
        while not await condition():
            if not self.running:
                raise self._failure(f"ended before {what}")
            if time.monotonic() > deadline:
                raise self._failure(f"{what}: not within {timeout:g} s")
            await asyncio.sleep(_POLL)

    def log_tail(self, lines: int = 25) -> str:
        """The end of the log, for messages."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(number)

    async def _ended(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self.running and time.monotonic() < deadline:  # noqa: ASYNC110  see the module: no event of a loop
            await asyncio.sleep(_POLL / 5)
        return not self.running

    def _failure(self, what: str) -> ProcessFailed:
        code = None if self._child is None else self._child.returncode
        ending = "" if code is None else f" (exit code {code})"
        return ProcessFailed(f"{self.name}: {what}{ending}. The end of {self.log}:\n{self.log_tail()}")
