"""Writes what somebody asks a standalone router to change: hands it to a process that knows resource files."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairlead_contract.updates import ModelChange, NotWritten, Written, decode_result, encode_changes

logger = logging.getLogger("fairlead.update")

_SECONDS = 30.0
_FAILED = NotWritten(code="not_writable", message="the update did not come to an end; the router's log says more")


class FolderUpdates:
    """A :class:`~fairlead_router.http.updates.Updates`: changes of one folder of resources."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "fairlead_cli.files.edit.process", str(folder), *options]
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Written | NotWritten]] = set()

    async def write(self, changes: tuple[ModelChange, ...]) -> Written | NotWritten:
        """See :class:`~fairlead_router.http.updates.Updates`."""
        # It goes on when the client leaves: cut short between two files, it would have written half of the changes.
        task = asyncio.create_task(self._write(changes), name="update of resources")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _write(self, changes: tuple[ModelChange, ...]) -> Written | NotWritten:
        async with self._turn:  # However many ask, one process at a time, and its seconds count from its start.
            try:
                return await self._run(changes)
            except OSError as error:
                logger.error("the update's process cannot be started: %s", error)
                return _FAILED

    async def _run(self, changes: tuple[ModelChange, ...]) -> Written | NotWritten:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_SECONDS):
                answer, _ = await process.communicate(encode_changes(changes))
            return decode_result(answer)
        except TimeoutError:
            # Whether it had begun to write is not known; what it writes is whole in any case.
            logger.error("the update took longer than %.0f s", _SECONDS)
        except msgspec.MsgspecError:
            logger.error("the update ended with status %s and no result", process.returncode)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _FAILED
