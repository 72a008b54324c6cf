"""Kopf's watch streams, in a thread and an event loop of their own.

Kopf is used for what it does well, watching, and for nothing else: only ``on.event`` handlers, so it writes no annotation
and no finalizer; no index, because after a list that followed lost history it would keep what was deleted meanwhile. Its
loop is apart because on its way out it cancels every task it finds, and so that it can be started anew when a watch has
died: its API errors are retried for ever, but an error it takes for fatal ends it.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from fairlead_kube.access import KubeAccess
from fairlead_kube.backoff import EndlessBackoffs
from fairlead_operator.observe.sources import Source

logger = logging.getLogger("fairlead.watch")

OnEvent = Callable[[Source, str | None, Mapping[str, Any]], None]

_TOKEN_SECONDS = 300
"""How long Kopf may use a token that was read from a file: the kubelet renews it long before it expires."""

_STOP_SECONDS = 10.0
_COUNT_SECONDS = 2.0


class KopfWatch:
    """Watches ``sources`` in ``scopes`` (``None``: cluster-wide); every event goes to ``on_event``, in the caller's loop."""

    def __init__(
        self, access: KubeAccess, sources: tuple[Source, ...], scopes: tuple[str | None, ...], on_event: OnEvent
    ) -> None:
        self._access = access
        self.sources = sources
        self.scopes = scopes
        self._on_event = on_event
        self._caller = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.started_at = 0.0
        """Monotonic seconds of the caller's loop."""

    def start(self) -> None:
        """Start a new thread; the one before must have been stopped."""
        self._stop = threading.Event()
        self.started_at = self._caller.time()
        name = "kopf-" + "-".join(source.name.lower() for source in self.sources)
        self._thread = threading.Thread(target=self._run, name=name, args=(self._stop,), daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Ask Kopf to end and wait for it; a thread that does not end is left behind, silenced."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, _STOP_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether Kopf runs at all."""
        return self._thread is not None and self._thread.is_alive()

    async def watchers(self) -> int:
        """How many watch streams Kopf has running now."""
        loop = self._loop
        if not self.alive or loop is None or not loop.is_running():
            return 0
        counting = _count_watchers()
        try:
            future = asyncio.run_coroutine_threadsafe(counting, loop)
        except RuntimeError:  # the loop was closed just now
            counting.close()
            return 0
        # Not awaited directly: Kopf cancels every task on its way out, ours too, and that must not cancel the caller.
        done, _ = await asyncio.wait({asyncio.wrap_future(future)}, timeout=_COUNT_SECONDS)
        answers = [each.result() for each in done if not each.cancelled() and each.exception() is None]
        return answers[0] if answers else 0

    @property
    def wanted_watchers(self) -> int:
        """How many there should be."""
        return len(self.sources) * len(self.scopes)

    def _run(self, stop: threading.Event) -> None:
        try:
            asyncio.run(self._operate(stop))
        except Exception:
            logger.exception("the watch of %s ended; it will be started anew", self._names)

    async def _operate(self, stop: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        namespaces = [scope for scope in self.scopes if scope is not None]
        await kopf.operator(
            registry=self._registry(stop),
            settings=self._settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            standalone=True,
            stop_flag=stop,
        )

    @property
    def _names(self) -> str:
        return ", ".join(source.value.plural for source in self.sources)

    def _registry(self, stop: threading.Event) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        access = self._access

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.ConnectionInfo:
            return connection_info(access)

        for source in self.sources:
            self._listen(registry, source, stop)
        return registry

    def _listen(self, registry: kopf.OperatorRegistry, source: Source, stop: threading.Event) -> None:
        kind = source.value

        @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)
        async def heard(event: Mapping[str, Any], **_: object) -> None:
            if not stop.is_set():
                self._caller.call_soon_threadsafe(self._on_event, source, event["type"], event["object"])

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.peering.standalone = True
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.networking.request_timeout = 30
        settings.networking.connect_timeout = 5
        settings.networking.error_backoffs = EndlessBackoffs(random.random, cap=5.0)
        settings.watching.server_timeout = 300
        settings.watching.client_timeout = 310
        settings.watching.connect_timeout = 5
        settings.watching.reconnect_backoff = 0.2
        settings.watching.inactivity_timeout = 70
        settings.watching.chunk_size = 500
        settings.queueing.worker_limit = None
        settings.queueing.exit_timeout = 1.0
        settings.process.ultimate_exiting_timeout = None
        for source in self.sources:
            if source.value.label_selector:
                settings.watching.label_selectors[source.value.plural] = source.value.label_selector
        return settings


def connection_info(access: KubeAccess) -> kopf.ConnectionInfo:
    """``access`` in Kopf's words. A token from a file is read anew every few minutes."""
    header = access.headers().get("Authorization", "")
    expiration = None
    if access.token_file is not None:
        expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=_TOKEN_SECONDS)
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_file,
        token=header.removeprefix("Bearer ") or None,
        certificate_path=access.client_certificate,
        private_key_path=access.client_key,
        expiration=expiration,
    )


async def _count_watchers() -> int:
    return sum(task.get_name().startswith("watcher for ") and not task.done() for task in asyncio.all_tasks())
