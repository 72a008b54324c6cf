"""Processes of the supervisor: started, talked to, waited for. What that means is decided elsewhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fairlead_cli.files.frames import BadFrame
from fairlead_cli.workers.messages import FromWorker, Place, ToWorker, encode, read_messages

logger = logging.getLogger("fairlead.supervisor")

_MAX_MESSAGE_BUFFER = 1 << 20
_HELPER_SECONDS = 2.0
"""What a helper has to end by itself."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process is gone. ``status``: negative for a signal, as in ``subprocess``."""

    status: int

    def __str__(self) -> str:
        if self.status < 0:
            return f"it was ended by {signal.Signals(-self.status).name}"
        return f"it ended with status {self.status}"


class WorkerProcess:
    """One worker: a process whose standard input is a socket to this one.

    The socket's end tells each side that the other is gone, however it went.
    """

    def __init__(self, hear: Callable[[FromWorker], None], gone: Callable[[Ended], None]) -> None:
        self._hear = hear
        self._gone = gone
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, once it is started."""
        return None if self._process is None else self._process.pid

    def start(self, command_line: Sequence[str], place: Place) -> None:
        """Start it, with the words of ``fairlead serve``. ``gone`` is called once, whatever becomes of it."""
        self._task = asyncio.get_running_loop().create_task(self._live(command_line, place), name="worker")

    def tell(self, message: ToWorker) -> None:
        """Send ``message``; it is lost if the worker is."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    def kill(self) -> None:
        """End it now."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def ended(self) -> None:
        """Wait until it is gone."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self, command_line: Sequence[str], place: Place) -> None:
        status = 1
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "fairlead_cli.workers.worker",
                    *command_line,
                    stdin=theirs.fileno(),
                    pass_fds=place.listeners,
                )
            reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=_MAX_MESSAGE_BUFFER)
            self.tell(place)
            try:
                async for message in read_messages(reader):
                    self._hear(message)  # type: ignore[arg-type]
            except BadFrame as error:
                logger.error("a worker cannot be understood: %s", error)
                self._process.kill()
            status = await self._process.wait()
        except OSError as error:  # no memory or no process left
            logger.error("a worker cannot be started: %s", error)
        finally:
            if self._writer is not None:
                self._writer.close()
            self._gone(Ended(status))


async def run_helper(*arguments: str, ready: Callable[[], None], gone: Callable[[Ended], None]) -> None:
    """Run a Python module that ends with its standard input, for as long as this is awaited. It writes a line when it is up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None, "its input is a pipe"
    assert process.stdout is not None, "its output is a pipe"
    try:
        if await process.stdout.readline():
            ready()
        status = await process.wait()
    except asyncio.CancelledError:
        process.stdin.close()
        try:
            async with asyncio.timeout(_HELPER_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
        raise
    gone(Ended(status))
