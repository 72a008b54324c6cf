"""A snapshot in a file, as a mounted ConfigMap has it: read at the start, and again whenever it changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from fairlead_cli.files.scan import Scan, scan
from fairlead_contract.snapshot import Credentials, Sealed, SnapshotRejected
from fairlead_router.config.receiver import ConfigReceiver

logger = logging.getLogger("fairlead.snapshot-file")

_POLL_SECONDS = 0.25


async def follow_snapshot_file(snapshot: Path, credentials: Path | None, receiver: ConfigReceiver) -> None:
    """Offer the file's content to ``receiver`` at each change, for ever. A file that cannot be read changes nothing."""
    files = [str(path) for path in (snapshot, credentials) if path is not None]
    seen: Scan | None = None
    while True:
        found = scan(files)
        if found != seen:
            seen = found
            try:
                sealed, values = await asyncio.to_thread(_read, snapshot, credentials)
            except (OSError, SnapshotRejected, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                logger.warning("%s cannot be read, the running table stays: %s", snapshot, error)
            else:
                await receiver.offer(sealed, values, source="file")
        await asyncio.sleep(_POLL_SECONDS)


def _read(snapshot: Path, credentials: Path | None) -> tuple[Sealed, Credentials]:
    values = Credentials()
    if credentials is not None:
        values = msgspec.json.decode(credentials.read_bytes(), type=Credentials)
    return Sealed.from_bytes(snapshot.read_bytes()), values
