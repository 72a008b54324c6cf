"""Posts Events behind the statuses: news may come late, state may not."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable

from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from fairlead_kube.follow import FAILURES
from fairlead_operator.lead.elector import Elector
from fairlead_operator.metrics import Metrics
from fairlead_operator.status.event_log import EventLog, Posting
from fairlead_operator.status.events import EventToPost, event_body, series_patch

logger = logging.getLogger("fairlead.events")

_WAITING = 10_000
"""Events that may wait to be posted. More are let go: they are news, not state."""

_AT_ONCE = 4


class EventPoster:
    """A bounded queue and a few hands."""

    def __init__(
        self,
        client: KubeClient,
        elector: Elector,
        metrics: Metrics,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], datetime.datetime],
    ) -> None:
        self._client = client
        self._elector = elector
        self._metrics = metrics
        self._log = EventLog()
        self._queue: asyncio.Queue[EventToPost] = asyncio.Queue(_WAITING)
        self._monotonic = monotonic
        self._wall = wall

    def put(self, event: EventToPost) -> None:
        """Have ``event`` posted soon."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._metrics.events.labels("Dropped").inc()

    async def run(self) -> None:
        """Post for ever. Raises :class:`NotLeader`."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._post_each())

    async def _post_each(self) -> None:
        while True:
            event = await self._queue.get()
            self._elector.require()
            decision = self._log.decide(event, self._monotonic())
            self._metrics.events.labels(decision.posting.value).inc()
            if decision.posting is Posting.SUPPRESSED:
                continue
            try:
                await self._post(event, new=decision.posting is Posting.NEW, count=decision.count)
            except FAILURES as error:
                logger.info("an event was not posted: %s", error)
                self._log.forget(event)

    async def _post(self, event: EventToPost, *, new: bool, count: int) -> None:
        collection = f"/apis/events.k8s.io/v1/namespaces/{event.regarding.namespace}/events"
        now = self._wall()
        body = event_body(event, self._elector.identity, now)
        if new:
            try:
                await self._client.create(collection, body)
            except KubeError as error:
                if not error.conflict:
                    raise
            else:
                return
        try:
            await self._client.merge(f"{collection}/{event.name}", series_patch(count, now))
        except KubeError as error:
            if not error.not_found:
                raise
            # It expired, or its first writing failed.
            await self._client.create(collection, body)
