"""The compiler process beside a standalone router: started, listened to, started again if it dies.

Compiling in a process of its own keeps pydantic, YAML and hundreds of milliseconds of computing away from the event loop
that serves requests. While it is away, the router serves what it has.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from fairlead_cli.files.frames import BadFrame, Frame, prefixed, read_frames
from fairlead_cli.files.problems import ProblemSeverity

logger = logging.getLogger("fairlead.compiler")

_MAX_FRAME_BUFFER = 1 << 20
_RESTART_SECONDS, _MAX_RESTART_SECONDS = 0.5, 15.0


class Audience(Protocol):
    """Who hears what the compiler has to say: a router, or the supervisor of several."""

    async def compiled(self, frame: Frame) -> None:
        """There is news."""
        ...

    def degraded(self, component: str, state: str | None) -> None:
        """A named state of ``component`` begins, or (``None``) is over."""
        ...


class CompilerChild:
    """One compiler process at a time. A new one goes on from the last snapshot, so that what was accepted stays in force."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder = folder
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._sealed = b""

    async def start(self) -> None:
        """Start the process."""
        resume = ["--resume"] if self._sealed else []
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fairlead_cli.files.process",
            str(self._folder),
            *resume,
            *self._options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_FRAME_BUFFER,
        )
        if resume and self._process.stdin is not None:
            self._process.stdin.write(prefixed(self._sealed))
            with suppress(ConnectionError):
                await self._process.stdin.drain()

    async def feed(self, audience: Audience) -> None:
        """Hand on every frame, for ever; name what is wrong to ``audience`` and in the log."""
        delay = _RESTART_SECONDS
        while True:
            process = self._process
            assert process is not None, "start comes first"
            assert process.stdout is not None, "its output is a pipe"
            try:
                async for frame in read_frames(process.stdout):
                    delay = _RESTART_SECONDS
                    audience.degraded("compiler", None)
                    await self._take(frame, audience)
            except BadFrame as error:
                logger.error("the compiler's output cannot be read: %s", error)
            with suppress(ProcessLookupError):
                process.kill()
            status = await process.wait()
            audience.degraded(
                "compiler", f"CompilerDown: it ended with status {status}; the last configuration is served"
            )
            logger.error("the compiler ended with status %d; starting it again in %.1f s", status, delay)
            while True:
                await asyncio.sleep(delay)
                delay = min(delay * 2, _MAX_RESTART_SECONDS)
                try:
                    await self.start()
                except OSError as error:  # no memory or no process left: requests are served all the same
                    logger.error("the compiler cannot be started, the next try is in %.1f s: %s", delay, error)
                else:
                    break

    async def stop(self) -> None:
        """Close its input, which ends it; insist if it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _take(self, frame: Frame, audience: Audience) -> None:
        for problem in frame.problems:
            level = logging.INFO if problem.severity is ProblemSeverity.NOTE else logging.WARNING
            logger.log(level, "%s", problem)
        for finding in frame.findings:
            logger.warning("%s", finding)
        self._sealed = frame.sealed or self._sealed
        await audience.compiled(frame)
