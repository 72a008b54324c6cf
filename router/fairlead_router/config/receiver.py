"""Takes snapshots from every door: validates, builds beside the running table, swaps one reference.

A snapshot that is refused changes nothing but the record of the refusal.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from fairlead_contract.snapshot import Credentials, RejectReason, Sealed, SnapshotRejected, read_body, unpack
from fairlead_router.config.build import Reusable, build, empty_table
from fairlead_router.config.table import Table

logger = logging.getLogger("fairlead.config")
T = TypeVar("T")

_SLICE_SECONDS = 0.00025
"""How long building may hold the event loop before requests get their turns."""

_TURNS = 16
"""Turns of the loop between two slices: a request takes several, and should meet one slice, not one at each turn."""

_FREED_AT_ONCE = 256

_FREEZE_SHARE = 0.25
"""Share of a table's fragments that are new since the last freeze, from which on it is worth another."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The last snapshot that was refused."""

    epoch: int
    revision: int
    source: str
    reason: RejectReason
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class Applied:
    """The snapshot that runs."""

    source: str
    at: float
    build_seconds: float


class ConfigReceiver:
    """Holds the running table. ``table`` is read once at the start of each request."""

    def __init__(self, *, wall_clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.table: Table = empty_table()
        self.applied: Applied | None = None
        self.rejected: Rejection | None = None
        self.rejections: dict[RejectReason, int] = {}
        self.last_offer_runs = True
        """``False`` after a refusal, until something is offered that runs, be it what ran before."""
        self.first_applied = asyncio.Event()
        self.on_applied: Callable[[Sealed, Credentials, str], None] | None = None
        """Told of every snapshot that runs from now on, with its source. Must not raise, nor take long."""
        self.on_running: list[Callable[[Sealed, Credentials, str], None]] = []
        """Told after it, under the same terms."""
        self._reusable = Reusable()
        self._unfrozen = 0
        self._credentials = Credentials()
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._lock = asyncio.Lock()

    @property
    def ready(self) -> bool:
        """Whether any snapshot runs."""
        return self.applied is not None

    @property
    def credentials(self) -> Credentials:
        """Those that came with the running snapshot."""
        return self._credentials

    def refuse(self, source: str, reason: RejectReason, message: str) -> None:
        """Record that a door found something that cannot even be offered."""
        self._record_rejection(0, 0, source, reason, message)
        logger.warning("what %s holds is refused, the running table stays: %s: %s", source, reason.value, message)

    async def offer(self, sealed: Sealed, credentials: Credentials, *, source: str, seed: bool = False) -> bool:
        """Load a snapshot if it is newer than the running one, or equal with other credentials.

        Returns whether it runs now. Never raises for a bad snapshot: the reason stands in ``rejected``. From a ``seed``,
        which lags behind another door, only what is newer or completes the credentials is news; the rest is no error.
        """
        async with self._lock:
            running = (self.table.used.epoch, self.table.used.revision)
            offered = sealed.manifest.version
            if seed and self.ready and (offered < running or (offered == running and not self.table.pending)):
                return False
            if self.ready and offered == running and sealed.manifest.digest == self.table.used.digest:
                if credentials == self._credentials:
                    self.last_offer_runs = True
                    return True
            elif self.ready and offered <= running:
                message = (
                    f"epoch {offered[0]} revision {offered[1]} is not newer than the running {running[0]}.{running[1]}"
                )
                self._reject(sealed, source, RejectReason.STALE, message)
                return False
            try:
                await self._load(sealed, credentials, source)
            except SnapshotRejected as rejected:
                self._reject(sealed, source, rejected.reason, rejected.message)
                return False
            except Exception as error:  # noqa: BLE001
                # A defect that one snapshot brings out would otherwise end every router at once. The words of the error
                # are left out: they may quote a credential.
                logger.error("building failed:\n%s", "".join(traceback.format_tb(error.__traceback__)))
                message = f"it cannot be built, which is a defect of fairlead, please report it: {type(error).__name__}"
                self._reject(sealed, source, RejectReason.MALFORMED, message)
                return False
            return True

    async def _load(self, sealed: Sealed, credentials: Credentials, source: str) -> None:
        started = self._monotonic()
        unpacked = await asyncio.to_thread(unpack, sealed)
        body = await self._in_slices(read_body(sealed.manifest, unpacked))
        del unpacked
        table, reusable = await self._in_slices(build(sealed.manifest, body, credentials, self._reusable))
        retired = [*self._reusable.parts(), self.table.policies, *self.table.index.parts()]
        entries = body.entries
        self.table, self._reusable = table, reusable
        del body
        self._credentials = credentials
        self.last_offer_runs = True
        self.applied = Applied(source, self._wall_clock(), self._monotonic() - started)
        self.first_applied.set()
        if self.on_applied is not None:
            self.on_applied(sealed, credentials, source)
        for hear in self.on_running:
            hear(sealed, credentials, source)
        self._freeze()
        logger.info(
            "snapshot %d.%d from %s runs: %d policies, %d models",
            sealed.manifest.epoch,
            sealed.manifest.revision,
            source,
            len(table.policies),
            len(table.models),
        )
        for item in table.pending:
            logger.warning(
                "Secret key %s of %s has not arrived in version %s: ModelProvider %s stays as it was until then",
                item.key,
                item.secret,
                item.version,
                item.provider,
            )
        while retired:
            # Each holds thousands of objects: freed one by one, with turns for requests after each.
            retired.pop()
            await self._let_others()
        while entries:
            del entries[-_FREED_AT_ONCE:]
            await self._let_others()

    async def _in_slices(self, steps: Generator[None, None, T]) -> T:
        """Run ``steps`` to their end, letting requests have their turns every fraction of a millisecond."""
        slice_ends = self._monotonic() + _SLICE_SECONDS
        while True:
            try:
                next(steps)
            except StopIteration as finished:
                result: T = finished.value
                return result
            if self._monotonic() >= slice_ends:
                await self._let_others()
                slice_ends = self._monotonic() + _SLICE_SECONDS

    @staticmethod
    async def _let_others() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def _freeze(self) -> None:
        """Take what lives as long as a table out of garbage collections: walking over it stalls every request.

        Tables hold no reference cycles and are freed by their counts all the same. Cycles that are garbage at this moment
        are never freed, so this happens after large changes only.
        """
        self._unfrozen += self._reusable.decoded
        if self._unfrozen > _FREEZE_SHARE * len(self._reusable.fragments):
            gc.freeze()
            self._unfrozen = 0

    def _reject(self, sealed: Sealed, source: str, reason: RejectReason, message: str) -> None:
        epoch, revision = sealed.manifest.version
        self._record_rejection(epoch, revision, source, reason, message)
        logger.warning(
            "snapshot %d.%d from %s refused, the running table stays: %s: %s",
            epoch,
            revision,
            source,
            reason.value,
            message,
        )

    def _record_rejection(self, epoch: int, revision: int, source: str, reason: RejectReason, message: str) -> None:
        self.last_offer_runs = False
        self.rejections[reason] = self.rejections.get(reason, 0) + 1
        self.rejected = Rejection(epoch, revision, source, reason, message, self._wall_clock())
