"""Holds the Lease while it can, and says at each moment whether this process may write."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable
from contextlib import suppress

from fairlead_kube.client import Json, KubeClient
from fairlead_kube.errors import KubeError
from fairlead_kube.follow import FAILURES
from fairlead_operator.lead.election import Observation, Record, may_take, next_spec, observe

logger = logging.getLogger("fairlead.lead")

_RENEWALS = 5
"""Tries within the lease's duration."""

_RESPECT = 2 / 3
"""Share of the duration after the last renewal in which this process trusts that it leads. The rest is margin: whoever
takes over waits for the whole duration."""


class NotLeader(Exception):
    """This process must not write now."""


class Elector:
    """One Lease. ``term`` grows with each change of holder in the cluster; writes bear it."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        duration: float,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], datetime.datetime],
    ) -> None:
        self._client = client
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._name = name
        self.identity = identity
        self._duration = duration
        self._monotonic = monotonic
        self._wall = wall
        self._observed: Observation | None = None
        self._renewed_at: float | None = None
        self.term = -1
        self._floor = 0
        self._stepping = asyncio.Lock()
        self._version = 0
        self.history_lost = asyncio.Event()
        """Set when a renewal gets a smaller resource version than the one before: etcd was restored."""
        self.changed = asyncio.Event()
        """Set after each try, whatever came of it: a reason to look at ``leads`` again."""

    @property
    def leads(self) -> bool:
        """Whether this process may write at this moment."""
        held = self._renewed_at
        return held is not None and self._monotonic() - held < self._duration * _RESPECT

    def require(self) -> None:
        """Raises :class:`NotLeader` unless this process leads."""
        if not self.leads:
            raise NotLeader

    async def run(self) -> None:
        """Take and renew for ever."""
        before = False
        while True:
            try:
                async with asyncio.timeout(self._duration / 3):
                    await self._step()
            except FAILURES as error:
                logger.warning("the Lease %s cannot be renewed: %s: %s", self._name, type(error).__name__, error)
            # Always: leadership also ends by time alone, between two looks at it or within one slow renewal.
            self.changed.set()
            if before != self.leads:
                before = self.leads
                logger.info("%s %s", self.identity, "leads" if before else "no longer leads")
            await asyncio.sleep(self._duration / _RENEWALS)

    async def outbid(self, term: int) -> None:
        """What is published bears a later ``term`` than ours. Either another replica leads, which the Lease will tell now,
        or the Lease lost its count and has to go on from there. Raises what the client raises.
        """
        self._floor = max(self._floor, term + 1)
        await self._step()

    async def release(self) -> None:
        """Let go, so that another need not wait. Failing is harmless: the lease expires."""
        if not self.leads or self._observed is None:
            return
        self._renewed_at = None
        with suppress(*FAILURES):
            async with asyncio.timeout(2):
                lease = await self._client.get(self._path)
                if Record.of(lease).holder == self.identity:
                    lease["spec"]["holderIdentity"] = ""
                    await self._client.replace(self._path, lease)

    async def _step(self) -> None:
        async with self._stepping:
            await self._take_or_renew()

    async def _take_or_renew(self) -> None:
        asked_at = self._monotonic()
        lease: Json | None = None
        try:
            lease = await self._client.get(self._path)
        except KubeError as error:
            if not error.not_found:
                raise
        record = None if lease is None else Record.of(lease)
        self._observed = None if record is None else observe(self._observed, record, asked_at)
        if not may_take(self._observed, self.identity, self._monotonic()):
            self._renewed_at = None
            return
        spec = next_spec(record, self.identity, self._duration, self._wall(), self._floor)
        try:
            if lease is None:
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name},
                    "spec": spec,
                }
                written = await self._client.create(self._collection, body)
            else:
                written = await self._client.replace(self._path, {**lease, "spec": {**lease["spec"], **spec}})
        except KubeError as error:
            if error.conflict:
                self._renewed_at = None
                return
            raise
        self._observed = Observation(Record.of(written), asked_at)
        # From when the request left: the server cannot have counted from earlier.
        self._renewed_at = asked_at
        self.term = Record.of(written).transitions
        version = int(written["metadata"]["resourceVersion"])
        if version < self._version:
            logger.warning("the cluster's history was set back: version %d came after %d", version, self._version)
            self.history_lost.set()
        self._version = version
