"""All watches and lists together: one inventory that is right within seconds, whatever a watch leaves out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from fairlead_operator.debounce import heard_within
from fairlead_operator.metrics import Metrics
from fairlead_operator.observe.inventory import Difference, Inventory
from fairlead_operator.observe.kopf_watch import KopfWatch
from fairlead_operator.observe.sources import OURS, Source
from fairlead_operator.settings import Settings

logger = logging.getLogger("fairlead.observe")

_STARTING_SECONDS = 20.0
"""How long a new watch may take until all its streams run."""


class Stream:
    """Feeds ``inventory`` from Kopf and from lists, and calls ``changed`` when something declared is different."""

    def __init__(self, client: KubeClient, settings: Settings, metrics: Metrics, changed: Callable[[], None]) -> None:
        self.inventory = Inventory()
        self._client = client
        self._metrics = metrics
        self._changed = changed
        objects = OURS if settings.watch_namespaces else (*OURS, Source.NAMESPACE)
        self._scopes = dict.fromkeys(objects, settings.object_scopes) | {Source.SECRET: settings.secret_scopes}
        self._watches = [
            KopfWatch(client.access, objects, settings.object_scopes, self._take),
            KopfWatch(client.access, (Source.SECRET,), settings.secret_scopes, self._take),
        ]
        self._heard = dict.fromkeys(self._scopes, 0)
        self._owed = dict.fromkeys(self._scopes, 0)
        self._relist = asyncio.Event()
        self._history_lost = False
        self._listing = asyncio.Lock()
        self.started = False

    def start(self) -> None:
        """Start watching; :meth:`list_all` should have succeeded once."""
        self.started = True
        for watch in self._watches:
            watch.start()

    async def stop(self) -> None:
        """End all watches."""
        await asyncio.gather(*(watch.stop() for watch in self._watches))

    def relist_soon(self) -> None:
        """Let the next list come at once."""
        self._relist.set()

    async def wait_for_relist(self, seconds: float) -> None:
        """Until somebody asks for a list, at most ``seconds``."""
        if await heard_within(self._relist, seconds):
            # What a watch delivers after it has listed comes in a burst: one list for all of it.
            await asyncio.sleep(0.2)
        self._relist.clear()

    async def list_all(self) -> KubeError | None:
        """Read every list. Returns the refusal of one that the server did not give: the others are read all the same.

        Raises what the client raises when the server cannot be reached.
        """
        refused: KubeError | None = None
        # Two listers at once could hear the older list later, which looks like lost history.
        async with self._listing:
            for source, scopes in self._scopes.items():
                for scope in scopes:
                    try:
                        difference = await self._list(source, scope)
                    except KubeError as error:
                        refused = refused or error
                        continue
                    self._history_lost = self._history_lost or difference.history_lost
                    if difference:
                        self._changed()
                self._metrics.objects.labels(source.value.plural).set(len(self.inventory.items[source]))
        return refused

    async def mend_watches(self) -> None:
        """Start anew every watch that is dead, deaf, or waits for a future that history has lost."""
        history_lost, self._history_lost = self._history_lost, False
        for watch in self._watches:
            reason = "HistoryLost" if history_lost else await self._ailment(watch)
            if reason is not None:
                logger.warning("the watch of %s is started anew: %s", [s.value.plural for s in watch.sources], reason)
                self._metrics.watch_restarts.labels(reason).inc()
                await watch.stop()
                for source in watch.sources:
                    self._heard[source] = self._owed[source] = 0
                watch.start()

    async def ailing(self) -> str | None:
        """What is wrong with a watch now, for the liveness probe."""
        for watch in self._watches:
            reason = await self._ailment(watch)
            if reason is not None:
                return f"{reason}: {[source.value.plural for source in watch.sources]}"
        return None

    async def _ailment(self, watch: KopfWatch) -> str | None:
        if not watch.alive:
            return "Dead"
        settled = asyncio.get_running_loop().time() - watch.started_at > _STARTING_SECONDS
        if settled and await watch.watchers() < watch.wanted_watchers:
            return "WatcherMissing"
        if settled and any(self._owed[source] > self._heard[source] for source in watch.sources):
            return "Stalled"
        return None

    async def _list(self, source: Source, scope: str | None) -> Difference:
        query = {"labelSelector": source.value.label_selector} if source.value.label_selector else {}
        heard_until = self.inventory.heard_until(source, scope)
        try:
            raws, version = await self._client.list_all(source.path(scope), query)
        except KubeError as error:
            if error.not_found and source.is_ours:
                raise KubeError(
                    404, error.reason, f"the API server knows no {source.value.plural}: install the CRDs first"
                ) from error
            if error.status == 403:
                raise KubeError(
                    403, error.reason, f"{error.message}; grant list and watch, or narrow the namespaces"
                ) from error
            raise
        difference = self.inventory.take_list(source, raws, version, scope, heard_until=heard_until)
        for what in ("added", "changed", "phantoms"):
            self._metrics.corrections.labels(source.value.plural, what).inc(len(getattr(difference, what)))
        if difference.phantoms:
            logger.warning("%d %s were deleted unheard", len(difference.phantoms), source.value.plural)
        told_late = [self.inventory.items[source][place].version for place in (*difference.added, *difference.changed)]
        if told_late:
            self._owed[source] = max(told_late)
        return difference

    def _take(self, source: Source, kind: str | None, raw: Mapping[str, Any]) -> None:
        version = int((raw.get("metadata") or {}).get("resourceVersion") or 0)
        if kind is None and self._heard[source]:
            # Kopf lists anew: it lost its place, and what was deleted meanwhile it will not tell.
            self.relist_soon()
        self._heard[source] = max(self._heard[source], version)
        self._metrics.watch_events.labels(source.value.plural).inc()
        scope = (raw.get("metadata") or {}).get("namespace") if self._scopes[source] != (None,) else None
        if self.inventory.take_event(source, kind, raw, scope):
            self._changed()
