"""A classifier as a process of its own: the same service as in a router, without models, policies or providers."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from aiohttp import web

from fairlead_router.admit.counters import register_admission
from fairlead_router.classify.open import open_classifier
from fairlead_router.composition import derive, make_admission, make_identifier, tell_in
from fairlead_router.http.classification import Desk
from fairlead_router.http.classifier_app import ClassifierContext, make_classifier_admin_app, make_classifier_app
from fairlead_router.http.runner import port_of, set_up
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.readings import register_classifier, register_record
from fairlead_router.server import BACKLOG, SWITCH_SECONDS
from fairlead_router.settings import Settings
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.open import open_store


@dataclass(frozen=True, slots=True)
class RunningClassifier:
    """A classifier that serves."""

    context: ClassifierContext
    public: web.AppRunner
    shutdown_seconds: float
    port: int
    admin_port: int

    async def leave(self) -> None:
        """Take no new requests, and give those in flight their time."""
        # There is nothing to cut: no answer comes in pieces.
        await self.context.leaving.leave(self.public, lambda: None, self.shutdown_seconds)


@asynccontextmanager
async def running_classifier(settings: Settings) -> AsyncIterator[RunningClassifier]:
    """Serve until the block ends, and then leave, if it was not left before.

    Raises ``SettingError``, ``ApiKeysError`` or ``OSError``.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    async with AsyncExitStack() as stack:
        context = await _compose(settings, stack)
        refused = context.desk.admission.count_refusal
        admin = await set_up(stack, make_classifier_admin_app(context), settings, refused)
        app = make_classifier_app(context, max_body_bytes=settings.max_body_bytes)
        public = await set_up(stack, app, settings, refused)
        await web.TCPSite(public, settings.host, settings.port, backlog=BACKLOG).start()
        await web.TCPSite(admin, settings.admin_host, settings.admin_port).start()
        running = RunningClassifier(context, public, settings.shutdown_seconds, port_of(public), port_of(admin))
        stack.push_async_callback(running.leave)
        yield running


async def _compose(settings: Settings, stack: AsyncExitStack) -> ClassifierContext:
    secret = settings.draw_key.encode() if settings.draw_key else secrets.token_bytes(32)
    metrics = Metrics()
    degraded: dict[str, str] = {}
    store = await open_store(settings, None, stack, degraded=degraded)
    service, counts = await open_classifier(
        settings,
        None if isinstance(store, MemoryStore) else store,
        derive(secret, b"fairlead-texts"),
        stack,
        tell=tell_in(degraded),
    )
    admission = make_admission(settings)
    register_admission(metrics, admission)
    register_classifier(metrics, service, counts)
    register_record(metrics, [], None, degraded)
    identifier = make_identifier(settings, derive(secret, b"fairlead-subjects"))
    desk = Desk(service, identifier, admission, settings.body_seconds, version("fairlead"))
    return ClassifierContext(desk, metrics, degraded)
