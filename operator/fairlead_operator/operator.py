"""The way of a change, on one page: observe, compile, publish, see what routers run, write status.

Only the leader does more than observe. Whatever fails on the way is tried again: nothing here ends the process but its own
defects and a signal.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from fairlead_contract.snapshot import Sealed, SnapshotRejected, Version
from fairlead_crds.compile import Compilation, Previous, compile_resources
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.resources import Settings as CompileSettings
from fairlead_kube.backoff import Backoff
from fairlead_kube.errors import KubeError
from fairlead_kube.follow import FAILURES
from fairlead_operator.debounce import Debounce, heard_within
from fairlead_operator.lead.elector import Elector, NotLeader
from fairlead_operator.metrics import Metrics
from fairlead_operator.observe.resources import resources_of
from fairlead_operator.observe.stream import Stream
from fairlead_operator.publish.credentials import Place, Places, collect, merge, wanted_credentials
from fairlead_operator.publish.epochs import next_epoch
from fairlead_operator.publish.publisher import Published, Publisher
from fairlead_operator.routers.endpoint_watch import EndpointWatch
from fairlead_operator.routers.patience import Patience
from fairlead_operator.routers.poll import RouterPoller
from fairlead_operator.status.poster import EventPoster
from fairlead_operator.status.rollout import Fleet, RouterReport
from fairlead_operator.status.standing import Standing, track
from fairlead_operator.status.writer import Situation, StatusWriter

logger = logging.getLogger("fairlead.operator")

_POLL_FIRST, _POLL_SLOWEST, _POLL_IDLE = 0.05, 1.0, 5.0
_SHRUNK = 0.5
_ROLLOUT_GRACE = 1.0
"""Seconds after a publication in which a status may wait for the routers."""


@dataclass(slots=True)
class Operator:
    """One replica."""

    stream: Stream
    elector: Elector
    publisher: Publisher
    poller: RouterPoller
    endpoints: EndpointWatch
    writer: StatusWriter
    poster: EventPoster
    metrics: Metrics
    compile_settings: CompileSettings
    dirty: Debounce
    resync_seconds: float
    draw: Callable[[], float]
    wall: Callable[[], datetime.datetime]
    listed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once everything declared is known."""
    _published: Published | None = None
    _published_at: float = 0.0
    _previous: Previous | None = None
    _compilation: Compilation | None = None
    _epoch: int | None = None
    """A new epoch to begin with the next publication."""
    _sent: Version = (0, 0)
    """Last tried to publish: a router may run it before the API server's answer is here."""
    _standings: Mapping[ObjectKey, Standing] = field(default_factory=dict)
    _fleet: Fleet = field(default_factory=lambda: Fleet(()))
    _router_versions: tuple[Version, ...] = ()
    _references: dict[str, Places] = field(default_factory=dict)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while what is published is read or written, and until that is noted."""
    _rollout_due: asyncio.Event = field(default_factory=asyncio.Event)
    _status_due: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.elector.run(), name="elector")
            group.create_task(self._observe(), name="observe")
            group.create_task(self._notice_lost_history(), name="history")
            group.create_task(self._lead(), name="lead")

    # ------------------------------------------------------------------------------------------ observe

    async def _observe(self) -> None:
        backoff = Backoff(self.draw, base=0.2, cap=3.0)
        watching = False
        try:
            while True:
                try:
                    refused = await self.stream.list_all()
                    if watching:
                        await self.stream.mend_watches()
                    elif refused is None:
                        self.listed.set()
                        self.stream.start()
                        watching = True
                    await self._notice_foreign_writes()
                    if refused is not None:
                        self._status_due.set()
                        raise refused
                    self.metrics.last_list.set(self.wall().timestamp())
                except FAILURES as error:
                    logger.warning("what is declared cannot be read: %s: %s", type(error).__name__, error)
                    await asyncio.sleep(backoff.next())
                else:
                    backoff.reset()
                    self._status_due.set()
                    await self.stream.wait_for_relist(self.resync_seconds)
        finally:
            await self.stream.stop()

    async def _notice_lost_history(self) -> None:
        while True:
            await self.elector.history_lost.wait()
            self.elector.history_lost.clear()
            self.stream.relist_soon()

    async def _notice_foreign_writes(self) -> None:
        """The snapshot may have been deleted or edited by somebody else: then it is published anew."""
        async with self._writing:
            before = self._published
            if before is None or not self.elector.leads:
                return
            found = await self.publisher.read()
            if found.config_map_version != before.config_map_version or found.credentials != before.credentials:
                logger.warning("the published snapshot was written by somebody else; it is published anew")
                self._adopt(found)
                self.dirty.mark()

    # ------------------------------------------------------------------------------------------ lead

    async def _lead(self) -> None:
        backoff = Backoff(self.draw)
        while True:
            await self.listed.wait()
            while not self.elector.leads:
                self.elector.changed.clear()
                if not self.elector.leads:
                    await self.elector.changed.wait()
            self.metrics.leader.set(1)
            try:
                await self._term()
                backoff.reset()
            except FAILURES as error:
                logger.warning("leading failed, it is tried again: %s: %s", type(error).__name__, error)
                await asyncio.sleep(backoff.next())
            self.metrics.stand_down()

    async def _term(self) -> None:
        """Lead until the Lease is lost."""
        async with aiohttp.ClientSession(trust_env=False) as http:
            try:
                await self._begin(http)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._compile_and_publish(), name="compile")
                    group.create_task(self._follow_rollout(http), name="rollout")
                    group.create_task(
                        self.endpoints.run(http, lambda: self._fleet.addresses, self._status_due.set), name="endpoints"
                    )
                    group.create_task(self._write_status(), name="status")
                    group.create_task(self.poster.run(), name="events")
                    group.create_task(self._until_deposed(), name="deposed")
            except* NotLeader:
                logger.info("another replica leads now, or the Lease cannot be renewed")
                self._published = None

    async def _begin(self, http: aiohttp.ClientSession) -> None:
        backoff = Backoff(self.draw)
        found: Published | None = None
        while found is None:
            self.elector.require()
            try:
                found = await self.publisher.read()
            except FAILURES as error:
                logger.warning("the published snapshot cannot be read yet: %s", error)
                await asyncio.sleep(backoff.next())
        if found.term > self.elector.term:
            await self.elector.outbid(found.term)
            self.elector.require()
        with suppress(*FAILURES):
            await self._ask_routers(http)
        # Nothing compiled in an earlier term may be told or obeyed in this one.
        self._compilation = None
        self._adopt(found)
        self.dirty.mark()

    def _adopt(self, found: Published) -> None:
        """Go on from what is in the cluster. What this process last published is remembered only if it is the same."""
        own = None if self._previous is None else self._previous.sealed.manifest
        published = found.sealed
        seen = [*self._router_versions, *([] if own is None else [own.version])]
        self._epoch = next_epoch(None if published is None else published.manifest.version, seen)
        if self._epoch is not None:
            self.metrics.epochs.inc()
            logger.warning("history was lost: epoch %d begins", self._epoch)
        if published is not None and (own is None or published.manifest.version > own.version):
            newer = _previous_of(published)
            if newer is not None:  # what this process knows as last good is not given up for what nobody can read
                self._previous, self._standings = newer, {}
        if own is not None and any(version > own.version for version in self._router_versions):
            # Routers run what somebody else has published: versions before the new epoch tell nothing of them.
            self._standings = {}
        self._published = found

    async def _until_deposed(self) -> None:
        while True:
            self.elector.require()
            await asyncio.sleep(0.5)

    # ------------------------------------------------------------------------------------------ compile and publish

    async def _compile_and_publish(self) -> None:
        backoff = Backoff(self.draw)
        while True:
            await self.dirty.settled()
            try:
                await self._compile_once()
            except FAILURES as error:
                self.metrics.publications.labels("failed").inc()
                logger.warning(
                    "the snapshot could not be published, it is tried again: %s: %s", type(error).__name__, error
                )
                if isinstance(error, KubeError) and error.conflict:
                    with suppress(*FAILURES):
                        async with self._writing:
                            self._adopt(await self.publisher.read())
                await asyncio.sleep(backoff.next())
                self.dirty.mark()
            except (NotLeader, asyncio.CancelledError):
                raise
            except Exception:  # a defect must not end the watch, nor keep status from saying what is so
                self.metrics.publications.labels("defect").inc()
                logger.exception("compiling failed; what is published stays until something changes")
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()

    async def _compile_once(self) -> None:
        before, epoch = self._published, self._epoch
        assert before is not None, "a term begins with reading what is published"
        compilation, values = await self._compile(epoch)
        if _shrunk(self._previous, compilation.previous):
            # A list that came out empty by accident must not withdraw everything: a second one has to agree.
            refused = await self.stream.list_all()
            if refused is not None:
                raise refused
            compilation, values = await self._compile(epoch)
        async with self._writing:
            if self._published is not before:  # compiled on what is no longer so
                self.dirty.mark()
                return
            self._published = await self._publish(compilation.snapshot, values, before, compilation.previous)
            if self._epoch == epoch:
                self._epoch = None
            self._previous, self._compilation = compilation.previous, compilation
        manifest = compilation.snapshot.manifest
        self._standings = track(self._standings, compilation.previous.entries, compilation.states, manifest.version)
        self.metrics.snapshot_bytes.set(len(compilation.snapshot.payload))
        self.metrics.snapshot_revision.set(manifest.revision)
        self._rollout_due.set()
        self._status_due.set()

    async def _compile(self, epoch: int | None) -> tuple[Compilation, Mapping[Place, str]]:
        resources, values = resources_of(self.stream.inventory)
        with self.metrics.compile_seconds.time():
            compilation = await asyncio.to_thread(
                compile_resources, resources, self._previous, self.compile_settings, epoch=epoch
            )
        self.metrics.compilations.inc()
        return compilation, values

    async def _publish(
        self, sealed: Sealed, values: Mapping[Place, str], before: Published, compiled: Previous
    ) -> Published:
        """Write what differs from ``before``; returns what is in the cluster then."""
        wanted = wanted_credentials(compiled.entries.values(), self._references)
        still_there = frozenset(place[:3] for place in values)
        credentials = merge(collect(wanted, values), before.credentials, still_there)
        # A leader that has not written yet in its term claims the ConfigMap, so that no older leader's write is taken.
        claimed = before.term == self.elector.term
        if claimed and sealed == before.sealed and credentials == before.credentials:
            return before
        self._sent = sealed.manifest.version
        published = await self.publisher.publish(sealed, credentials, before)
        self._published_at = asyncio.get_running_loop().time()
        self.metrics.publications.labels("published").inc()
        logger.info("snapshot %d.%d published", *sealed.manifest.version)
        return published

    # ------------------------------------------------------------------------------------------ rollout and status

    async def _follow_rollout(self, http: aiohttp.ClientSession) -> None:
        delay = _POLL_FIRST
        patience = Patience[RouterReport]()
        while True:
            with suppress(*FAILURES):
                await self._ask_routers(http, patience)
            done = await self._finish_rollout()
            delay = _POLL_IDLE if done else min(delay * 1.5, _POLL_SLOWEST)
            if await heard_within(self._rollout_due, delay):
                self._rollout_due.clear()
                delay = _POLL_FIRST

    async def _ask_routers(self, http: aiohttp.ClientSession, patience: Patience[RouterReport] | None = None) -> None:
        heard = await self.poller.ask_all(http)
        reports = heard if patience is None else patience.steady(heard, asyncio.get_running_loop().time())
        fleet = Fleet(reports)
        if fleet != self._fleet:
            self._fleet = fleet
            self._status_due.set()
        self._router_versions = tuple(report.version for report in reports if report.version is not None)
        self.metrics.routers.labels("reachable").set(sum(report.reachable for report in reports))
        self.metrics.routers.labels("unreachable").set(sum(not report.reachable for report in reports))

    async def _finish_rollout(self) -> bool:
        """Whether all routers run what is published. Then no older credential is needed any more."""
        published = self._published
        if published is None or published.sealed is None or self._compilation is None:
            return False
        version = published.sealed.manifest.version
        if any(running > max(version, self._sent) for running in self._router_versions):
            self._adopt(published)
            self.dirty.mark()
            return False
        if not self._fleet.settled(version):
            return False
        wanted = wanted_credentials(self._compilation.previous.entries.values(), self._references)
        needed = collect(wanted, {item.place: item.value for item in published.credentials.entries})
        if needed != published.credentials:
            async with self._writing:
                if self._published is published:
                    with suppress(*FAILURES):
                        self._published = await self.publisher.prune(needed, published)
        return True

    async def _give_routers_time(self) -> None:
        """Routers take a moment to follow; a status that says so would be written twice for each edit."""
        published = self._published
        # Fixed here: each publication meanwhile would put it off, and with a stuck router no status would ever be written.
        until = self._published_at + _ROLLOUT_GRACE
        while published is not None and published.sealed is not None and len(self._fleet):
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self._fleet.settled(published.sealed.manifest.version):
                return
            if await heard_within(self._status_due, left):
                self._status_due.clear()

    async def _write_status(self) -> None:
        backoff = Backoff(self.draw)
        while True:
            await self._status_due.wait()
            self._status_due.clear()
            await self._give_routers_time()
            if self._compilation is None:
                continue
            situation = Situation(self._compilation, self._standings, self._fleet, self.endpoints.observed)
            try:
                done = await self.writer.write(situation, self._status_due.is_set)
            except NotLeader:
                raise
            except Exception:  # a defect in telling must not end the doing
                logger.exception("status could not be written")
                done = False
            if done:
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next())
                self._status_due.set()


def _previous_of(sealed: Sealed) -> Previous | None:
    try:
        return Previous.from_snapshot(sealed)
    except SnapshotRejected as rejected:
        logger.error("the published snapshot cannot be read, so nothing is known as last good: %s", rejected)
        return None


def _shrunk(before: Previous | None, now: Previous) -> bool:
    return before is not None and len(now.entries) < _SHRUNK * len(before.entries)
