"""The last snapshot that ran, kept on disk: a router that starts while the API server is away begins with it.

One file holds snapshot and credentials together, so that they cannot come from two different moments: a line of JSON with
both lengths and a digest, then the wire form of the snapshot, then the credentials as JSON. The file before it is kept as
``last-good.1``. Whenever the process dies, one of the two is whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import msgspec

from fairlead_contract.delivery import read_credentials
from fairlead_contract.snapshot import Credentials, Sealed, SnapshotRejected
from fairlead_kube.backoff import Backoff
from fairlead_router.config.doors.status import Door, DoorName
from fairlead_router.config.receiver import ConfigReceiver

logger = logging.getLogger("fairlead.config.last-good")

CURRENT, PREVIOUS = "last-good", "last-good.1"
_TEMPORARY = "last-good.tmp-"
_FORMAT_VERSION = 1
_MAX_BYTES = 64 * 1024 * 1024
_RETRY_SECONDS, _MAX_RETRY_SECONDS = 1.0, 60.0
_FLUSH_SECONDS = 5.0


class _Header(msgspec.Struct, frozen=True, rename="camel"):
    format_version: int
    snapshot_bytes: int
    credentials_bytes: int
    sha256: str


class NotLastGood(ValueError):
    """A file that is not what it should be. The message says why, and quotes nothing of it."""


def encode_state(sealed: Sealed, credentials: Credentials) -> bytes:
    """The content of a file."""
    snapshot, values = sealed.to_bytes(), msgspec.json.encode(credentials)
    header = _Header(_FORMAT_VERSION, len(snapshot), len(values), hashlib.sha256(snapshot + values).hexdigest())
    return b"".join((msgspec.json.encode(header), b"\n", snapshot, values))


def decode_state(data: bytes) -> tuple[Sealed, Credentials]:
    """The inverse of :func:`encode_state`. Raises :class:`NotLastGood`."""
    line, _, rest = data.partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotLastGood("its first line is no header") from None
    if header.format_version != _FORMAT_VERSION:
        raise NotLastGood(f"it has format version {header.format_version}, not {_FORMAT_VERSION}")
    if header.snapshot_bytes < 0 or header.snapshot_bytes + header.credentials_bytes != len(rest):
        raise NotLastGood("it is cut short or longer than its header says")
    if hashlib.sha256(rest).hexdigest() != header.sha256:
        raise NotLastGood("its content does not have the digest that its header names")
    try:
        return Sealed.from_bytes(rest[: header.snapshot_bytes]), read_credentials(rest[header.snapshot_bytes :])
    except (SnapshotRejected, ValueError) as error:
        raise NotLastGood(str(error)) from error


class LastGoodFiles:
    """The folder with the two files. One process at a time writes there. Methods block: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._current, self._previous = folder / CURRENT, folder / PREVIOUS
        self._current_is_whole = False
        self._writing = threading.Lock()

    def load(self) -> list[tuple[Sealed, Credentials]]:
        """What is whole, the newest first; removes what a killed writer left behind.

        Raises ``OSError`` if there is no folder and none can be made, never for a bad file.
        """
        os.makedirs(self.folder, 0o700, exist_ok=True)
        for leftover in self.folder.glob(_TEMPORARY + "*"):
            with suppress(OSError):
                leftover.unlink()
        found = []
        for path in (self._current, self._previous):
            try:
                found.append(decode_state(_read(path)))
            except FileNotFoundError:
                continue
            except (OSError, NotLastGood) as error:
                logger.error("%s is skipped: %s", path, error)
            else:
                self._current_is_whole = self._current_is_whole or path == self._current
        found.sort(key=lambda state: state[0].manifest.version, reverse=True)
        return found

    def write(self, sealed: Sealed, credentials: Credentials) -> None:
        """Make this the last good state. Raises ``OSError``, and then what was there is there still."""
        with self._writing:
            for _ in self.steps(sealed, credentials):
                pass

    def steps(self, sealed: Sealed, credentials: Credentials) -> Generator[str, None, None]:
        """Write, yielding the name of each step that was done: a process may die at any of them."""
        os.makedirs(self.folder, 0o700, exist_ok=True)
        temporary = self.folder / f"{_TEMPORARY}{os.getpid()}"
        try:
            yield from self._write_new(temporary, encode_state(sealed, credentials))
            if self._current_is_whole:
                yield from self._keep_previous(temporary.with_name(temporary.name + "-link"))
            os.replace(temporary, self._current)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        self._current_is_whole = True
        yield "replaced"
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        yield "folder synced"

    @staticmethod
    def _write_new(path: Path, data: bytes) -> Generator[str, None, None]:
        path.unlink(missing_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            yield "created"
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
                yield "written"
            os.fsync(file)
        finally:
            os.close(file)
        yield "synced"

    def _keep_previous(self, link: Path) -> Generator[str, None, None]:
        """A second name for the current file takes the previous one's place: at no moment is either name without a file.

        A current file that was not whole when it was read is not kept, or the only whole one would be lost.
        """
        link.unlink(missing_ok=True)
        try:
            os.link(self._current, link)
        except OSError as error:
            # Some file systems have no links, and none may be made to another user's file: go without a previous one.
            logger.debug("the file before is not kept: %s", error)
            return
        yield "linked"
        os.replace(link, self._previous)
        yield "kept"
        # If both names were one file already, rename did nothing at all (POSIX), and the link is still there.
        link.unlink(missing_ok=True)


class LastGoodDoor:
    """Offers what is on disk at the start; then writes there whatever runs, in a thread and only the newest."""

    def __init__(
        self,
        folder: Path,
        receiver: ConfigReceiver,
        door: Door,
        *,
        degraded: dict[str, str],
        draw: Callable[[], float],
    ) -> None:
        self._files = LastGoodFiles(folder)
        self._receiver = receiver
        self._door = door
        self._degraded = degraded
        self._backoff = Backoff(draw, _RETRY_SECONDS, _MAX_RETRY_SECONDS)
        self._pending: tuple[Sealed, Credentials] | None = None
        self._wake = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Offer the newest state that the receiver takes, and listen for what is to be written."""
        self._receiver.on_applied = self._applied
        try:
            states = await asyncio.to_thread(self._files.load)
        except OSError as error:
            self._failed(error)
            return
        self._door.reached()
        if states:
            self._door.saw(states[0][0].manifest.version)
        for sealed, credentials in states:
            if await self._receiver.offer(sealed, credentials, source=DoorName.LAST_GOOD):
                break

    async def follow(self) -> None:
        """Write what runs, for ever; when cancelled, what is not yet written."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if not await self._write_pending():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._backoff.next()):
                            await self._wake.wait()
                    self._wake.set()
        finally:
            self._receiver.on_applied = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    if self._writing is not None:
                        await asyncio.wait({self._writing})
                    await self._write_pending()

    def _applied(self, sealed: Sealed, credentials: Credentials, source: str) -> None:
        if source != DoorName.LAST_GOOD:
            self._pending = (sealed, credentials)
            self._wake.set()

    async def _write_pending(self) -> bool:
        """Whether there was nothing to write, or it is written."""
        if (state := self._pending) is None:
            return True
        self._pending = None
        self._writing = asyncio.create_task(asyncio.to_thread(self._files.write, *state), name="write-last-good")
        try:
            # The thread goes on to its end anyway: whoever cancels this can still wait for it.
            await asyncio.shield(self._writing)
        except OSError as error:
            self._put_back(state)
            self._failed(error)
            return False
        self._backoff.reset()
        self._door.reached()
        self._door.saw(state[0].manifest.version)
        self._degraded.pop(DoorName.LAST_GOOD, None)
        return True

    def _put_back(self, state: tuple[Sealed, Credentials]) -> None:
        """Unless something newer has come meanwhile."""
        if self._pending is None:
            self._pending = state

    def _failed(self, error: OSError) -> None:
        reason = f"{error.filename or self._files.folder}: {error.strerror or error}"
        if reason != self._door.error:
            logger.error("the running snapshot is not kept for the next start: %s", reason)
        self._door.lost(reason)
        self._degraded[DoorName.LAST_GOOD] = (
            f"LastGoodNotWritten: {reason}; a restart while the API server is away would find an older state or none"
        )


def _read(path: Path) -> bytes:
    """Raises ``OSError`` or :class:`NotLastGood`."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise NotLastGood(f"it is larger than {_MAX_BYTES} bytes")
    return data
