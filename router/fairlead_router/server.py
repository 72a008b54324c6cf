"""Puts the router together from its settings, starts both servers, and stops them without losing a request."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp
from aiohttp import web

from fairlead_router.admit.limits import Admission
from fairlead_router.config.doors.status import DoorGauges, Doors
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.refusals import RefusalCounter
from fairlead_router.dispatch.addresses import GuardedSockets
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.providers import make_adapters
from fairlead_router.http.admin import make_admin_app
from fairlead_router.http.context import Context
from fairlead_router.http.public import make_public_app
from fairlead_router.identify.api_keys import read_api_keys
from fairlead_router.identify.identity import Identifier
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.lines import LineWriter
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.recorder import Recorder
from fairlead_router.record.sink import RecordSink
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.settings import Settings
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import StateStore

logger = logging.getLogger("fairlead.server")

_EXPIRE_SECONDS = 5.0
_KEEPALIVE_SECONDS = 75.0
_RECORD_SECONDS = 0.01
SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """A router that serves."""

    context: Context
    port: int
    admin_port: int

    @property
    def receiver(self) -> ConfigReceiver:
        """Where snapshots are offered."""
        return self.context.pipeline.receiver


@asynccontextmanager
async def running_router(settings: Settings) -> AsyncIterator[RunningRouter]:
    """Serve until the block ends; then take no new requests, and give those in flight ``shutdown_seconds``."""
    # Threads (unpacking a snapshot, writing lines) give way to the loop this soon, instead of after 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    async with AsyncExitStack() as stack:
        context = await _make_context(settings, stack)
        public = make_public_app(context)
        admin = make_admin_app(context)
        port = await _listen(stack, public, settings.host, settings.port, settings.shutdown_seconds)
        admin_port = await _listen(stack, admin, settings.admin_host, settings.admin_port, 1)
        yield RunningRouter(context, port, admin_port)


async def _make_context(settings: Settings, stack: AsyncExitStack) -> Context:
    secret = settings.draw_key.encode() if settings.draw_key else secrets.token_bytes(32)
    keys = None if settings.api_keys_file is None else read_api_keys(settings.api_keys_file)
    receiver = ConfigReceiver(wall_clock=time.time, monotonic=time.monotonic)
    store: StateStore = MemoryStore()
    stack.push_async_callback(store.close)
    breakers = BreakerRegistry(random.random)
    session = _upstream_session(settings)
    stack.push_async_callback(session.close)
    dispatcher = Dispatcher(
        Attempts(
            make_adapters(session),
            breakers,
            clock=time.monotonic,
            wall=time.time,
            max_response_bytes=settings.max_response_bytes,
            max_event_bytes=settings.max_event_bytes,
        ),
        breakers,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        draw=random.random,
    )
    metrics = Metrics()
    record_lines = None
    if settings.decision_log is not None:
        file = stack.enter_context(settings.decision_log.open("ab"))

        def append(data: bytes) -> None:
            file.write(data)
            file.flush()

        record_lines = LineWriter(append)
        stack.callback(record_lines.close)
    access = None
    if settings.access_log:
        access = LineWriter(_write_standard_output)
        stack.callback(access.close)
    sink = RecordSink(capacity=settings.decision_buffer, lines=record_lines)
    recorder = Recorder(sink, metrics, access, router=os.uname().nodename, defer=_soon)
    stack.callback(recorder.flush)
    pipeline = Pipeline(
        receiver=receiver,
        identifier=Identifier(
            keys, default_workspace=settings.default_workspace, hash_key=_derive(secret, b"fairlead-subjects")
        ),
        admission=Admission(
            max_body_bytes=settings.max_body_bytes, max_concurrent_requests=settings.max_concurrent_requests
        ),
        store=store,
        breakers=breakers,
        draws=KeyedDraws(_derive(secret, b"fairlead-draws")),
        dispatcher=dispatcher,
        recorder=recorder,
        clock=time.monotonic,
        wall=time.time,
        new_id=DecisionIds(),
    )
    doors = Doors(time.time)
    _register_gauges(metrics, pipeline, doors, [lines for lines in (record_lines, access) if lines is not None])
    housekeeping = asyncio.create_task(_keep_house(store, receiver, breakers), name="housekeeping")
    stack.push_async_callback(_cancelled, housekeeping)
    return Context(pipeline, recorder, settings, version("fairlead"), doors)


class DecisionIds:
    """Makes decision ids: sortable by time, not guessable. 48 bits of milliseconds, 80 random bits.

    The kernel is asked for random bytes of many ids at once: it takes microseconds each time, tens of them in a sandbox.
    """

    _RANDOM_BYTES, _AT_ONCE = 10, 256

    def __init__(self) -> None:
        self._random = b""
        self._used = 0

    def __call__(self) -> str:
        start, end = self._used, self._used + self._RANDOM_BYTES
        if end > len(self._random):
            self._random = secrets.token_bytes(self._RANDOM_BYTES * self._AT_ONCE)
            start, end = 0, self._RANDOM_BYTES
        self._used = end
        return f"{time.time_ns() // 1_000_000:012x}{self._random[start:end].hex()}"


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(secret[:64], digest_size=32, person=purpose[:16]).digest()


def _upstream_session(settings: Settings) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=settings.max_upstream_connections,
        ttl_dns_cache=60,
        keepalive_timeout=60,
        socket_factory=GuardedSockets(settings.allow_networks),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"fairlead/{version('fairlead')}", "Accept-Encoding": "identity"},
        trust_env=False,
        max_line_size=16 * 1024,
        max_field_size=16 * 1024,
    )


async def _listen(stack: AsyncExitStack, app: web.Application, host: str, port: int, shutdown_seconds: float) -> int:
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        logger=_http_logger(),
        shutdown_timeout=shutdown_seconds,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    return int(runner.addresses[0][1])


def _http_logger() -> logging.Logger:
    result = logging.getLogger("fairlead.http.server")
    if not any(isinstance(each, NoQuotes) for each in result.filters):
        result.addFilter(NoQuotes())
    return result


class NoQuotes(logging.Filter):
    """aiohttp's errors quote what could not be parsed, be it a credential or a prompt: only their kind is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See ``logging.Filter``."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and type(error).__module__.startswith("aiohttp."):
            record.msg, record.args = "a client sent what is no HTTP request: %s", (type(error).__name__,)
            record.exc_info = None
        return True


def _soon(flush: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(_RECORD_SECONDS, flush)


def _write_standard_output(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _register_gauges(metrics: Metrics, pipeline: Pipeline, doors: Doors, lines: list[LineWriter]) -> None:
    receiver = pipeline.receiver
    metrics.gauge("fairlead_requests_in_flight", "Requests being served.", lambda: pipeline.admission.in_flight)
    metrics.gauge("fairlead_requests_refused", "Requests refused for want of room.", lambda: pipeline.admission.refused)
    metrics.gauge("fairlead_config_epoch", "Epoch of the running snapshot.", lambda: receiver.table.used.epoch)
    metrics.gauge("fairlead_config_revision", "Revision of the running snapshot.", lambda: receiver.table.used.revision)
    metrics.gauge(
        "fairlead_config_last_reload_success",
        "1 if the last snapshot offered runs, 0 if it was refused.",
        lambda: float(receiver.last_offer_runs),
    )
    metrics.gauge(
        "fairlead_config_pending_credentials",
        "Secret values that the running snapshot names and that have not arrived; their providers wait.",
        lambda: len(receiver.table.pending),
    )
    metrics.registry.register(DoorGauges(doors))
    metrics.registry.register(RefusalCounter(receiver))
    metrics.gauge(
        "fairlead_log_lines_dropped", "Lines that no reader took.", lambda: sum(each.dropped for each in lines)
    )


async def _keep_house(store: StateStore, receiver: ConfigReceiver, breakers: BreakerRegistry) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        try:
            await store.expire(now=time.time())
            breakers.retain(set(receiver.table.models))
        except Exception:
            logger.exception("housekeeping failed; it goes on")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
