"""The snapshot in a file, as a mounted ConfigMap has it: read at the start, and again whenever it changes."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from fairlead_contract.delivery import read_credentials
from fairlead_contract.snapshot import Credentials, RejectReason, Sealed, SnapshotRejected
from fairlead_router.config.doors.status import Door, DoorName
from fairlead_router.config.receiver import ConfigReceiver

logger = logging.getLogger("fairlead.config.file")

POLL_SECONDS = 0.25

_Signature = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class MountedFiles:
    """Where the files are: the wire form of a snapshot, and the JSON of credentials."""

    snapshot: Path
    credentials: Path | None = None


class MountedDoor:
    """Polls the files. A ``seed`` stands beside the API server, lags behind it, and may be missing."""

    def __init__(
        self,
        files: MountedFiles,
        receiver: ConfigReceiver,
        door: Door,
        *,
        seed: bool = False,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._files = files
        self._receiver = receiver
        self._door = door
        self._seed = seed
        self._poll_seconds = poll_seconds
        self._seen: _Signature | None = None

    async def follow(self) -> None:
        """Offer the files' content at each change, for ever. Files that cannot be read change nothing."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_seconds)

    async def look(self) -> None:
        """Offer the files' content if it is not what it was at the last look."""
        found = await asyncio.to_thread(_signature, self._files)
        if found == self._seen:
            self._door.confirmed()
            return
        try:
            sealed, credentials = await asyncio.to_thread(_read, self._files)
        except OSError as error:
            # Nothing counts as seen: what kept the file from being read may pass without the file changing.
            self._seen = None
            self._lost(f"{error.filename or self._files.snapshot}: {error.strerror or error}")
            return
        except SnapshotRejected as rejected:
            self._refuse(found, rejected.reason, f"{self._files.snapshot}: {rejected.message}")
            return
        except ValueError as error:
            self._refuse(found, RejectReason.MALFORMED, f"{self._files.credentials}: {error}")
            return
        self._seen = found
        self._door.reached()
        self._door.saw(sealed.manifest.version)
        await self._receiver.offer(sealed, credentials, source=DoorName.FILE, seed=self._seed)

    def _refuse(self, found: _Signature, reason: RejectReason, message: str) -> None:
        self._seen = found
        self._door.reached(message)
        self._receiver.refuse(DoorName.FILE, reason, message)

    def _lost(self, error: str) -> None:
        if error != self._door.error:
            level = logging.INFO if self._seed else logging.WARNING
            logger.log(level, "the running table stays: %s", error)
        self._door.lost(error)


def _signature(files: MountedFiles) -> _Signature:
    """Changes whenever a file is written, replaced, or the link that a mounted volume swaps leads elsewhere."""
    return tuple(_stat(path) for path in (files.snapshot, files.credentials) if path is not None)


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(files: MountedFiles) -> tuple[Sealed, Credentials]:
    """Raises ``OSError``, ``ValueError`` or :class:`SnapshotRejected`."""
    credentials = Credentials() if files.credentials is None else read_credentials(files.credentials.read_bytes())
    return Sealed.from_bytes(files.snapshot.read_bytes()), credentials
