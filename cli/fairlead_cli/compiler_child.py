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

from fairlead_cli.files.frames import BadFrame, Frame, prefixed, read_frames
from fairlead_cli.files.problems import ProblemSeverity
from fairlead_contract.snapshot import Sealed, SnapshotRejected
from fairlead_router.http.context import Context

logger = logging.getLogger("fairlead.compiler")

_MAX_FRAME_BUFFER = 1 << 20
_RESTART_SECONDS, _MAX_RESTART_SECONDS = 0.5, 15.0


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

    async def feed(self, context: Context) -> None:
        """Offer every frame to the router, for ever; name what is wrong in ``context`` and in the log."""
        delay = _RESTART_SECONDS
        while True:
            process = self._process
            assert process is not None, "start comes first"
            assert process.stdout is not None, "its output is a pipe"
            try:
                async for frame in read_frames(process.stdout):
                    delay = _RESTART_SECONDS
                    context.degraded.pop("compiler", None)
                    await self._take(frame, context)
            except BadFrame as error:
                logger.error("the compiler's output cannot be read: %s", error)
            with suppress(ProcessLookupError):
                process.kill()
            status = await process.wait()
            context.degraded["compiler"] = (
                f"CompilerDown: it ended with status {status}; the last configuration is served"
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

    async def _take(self, frame: Frame, context: Context) -> None:
        context.findings = [*frame.findings, *frame.problems]
        errors = sum(problem.severity is ProblemSeverity.ERROR for problem in frame.problems)
        errors += sum(finding.severity == "Error" for finding in frame.findings)
        if errors:
            context.degraded["resources"] = f"ResourcesInvalid: {errors} errors; what was accepted last is served"
        else:
            context.degraded.pop("resources", None)
        for problem in frame.problems:
            level = logging.INFO if problem.severity is ProblemSeverity.NOTE else logging.WARNING
            logger.log(level, "%s", problem)
        for finding in frame.findings:
            logger.warning("%s", finding)
        if not frame.sealed:
            return
        try:
            sealed = Sealed.from_bytes(frame.sealed)
        except SnapshotRejected as rejected:
            logger.error("the compiler sent an unreadable snapshot: %s", rejected)
            return
        self._sealed = frame.sealed
        await context.pipeline.receiver.offer(sealed, frame.credentials, source="files")
