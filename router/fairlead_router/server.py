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
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from fairlead_router.admit.counters import register_admission
from fairlead_router.admit.limits import Admission
from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.open import open_reuse
from fairlead_router.config.doors.status import Doors
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.health import HealthRegistry
from fairlead_router.dispatch.health_checks import HealthChecks
from fairlead_router.dispatch.providers import make_adapters
from fairlead_router.dispatch.shared_statistics import SharedStatistics
from fairlead_router.dispatch.sharing import BreakerSharing
from fairlead_router.dispatch.statistics import StatisticsRegistry
from fairlead_router.dispatch.transport.base import Transport
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.http.admin import make_admin_app
from fairlead_router.http.connections import BoundedRunner, BoundedServer, ConnectionLimits
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.front import FrontServer
from fairlead_router.http.inference import serve
from fairlead_router.http.plain import HeadLimits
from fairlead_router.http.public import make_public_app
from fairlead_router.identify.api_keys import read_api_keys
from fairlead_router.identify.identity import Identifier
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.lines import LineWriter
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.readings import register_configuration, register_health, register_record, register_store
from fairlead_router.record.recorder import Recorder
from fairlead_router.record.sink import RecordSink
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.statistics import Statistics
from fairlead_router.settings import Settings
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.open import open_store
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.state.store import StateStore
from fairlead_router.trace.context import Tracing
from fairlead_router.trace.open import Tell, open_telemetry, sampling_of

logger = logging.getLogger("fairlead.server")

_EXPIRE_SECONDS = 5.0
_KEEPALIVE_SECONDS = 75.0
_CANCEL_SECONDS = 0.5
_LINGER_SECONDS = 2.0
"""How long the rest of a body that was refused is read, so that its sender sees the refusal and not a reset."""
BACKLOG = 1024
"""Connections that may wait for a busy event loop."""
_RECORD_SECONDS = 0.01
SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What is different for a router that is one of several on a machine: it is told when to listen, and shares."""

    admin_socket: Path
    """Unix socket of its admin API."""
    state_socket: Path | None
    """Unix socket of the store that all workers share; ``None`` if the settings name one."""
    write_lines: Callable[[bytes], None]
    """Writes to the standard output that all workers share."""


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """A router that serves."""

    context: Context
    public: web.AppRunner
    port: int
    """0 while it was not told to listen."""
    admin_port: int

    @property
    def receiver(self) -> ConfigReceiver:
        """Where snapshots are offered."""
        return self.context.pipeline.receiver

    async def leave(self) -> None:
        """Take no new requests, and give those in flight ``shutdown_seconds``."""
        context = self.context
        await context.leaving.leave(self.public, context.pipeline.cut, context.settings.shutdown_seconds)


@asynccontextmanager
async def running_router(settings: Settings, place: WorkerPlace | None = None) -> AsyncIterator[RunningRouter]:
    """Serve until the block ends, and then leave, if it was not left before."""
    # Threads (unpacking a snapshot, writing lines) give way to the loop this soon, instead of after 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    async with AsyncExitStack() as stack:
        context = await _make_context(settings, place, stack)
        # What was pushed last goes first: metrics can be read while the last requests are served.
        admin = await _set_up(stack, make_admin_app(context))
        public = await _set_up(stack, make_public_app(context), front=partial(_front, context))
        if place is None:
            await web.TCPSite(public, settings.host, settings.port, backlog=BACKLOG).start()
            await web.TCPSite(admin, settings.admin_host, settings.admin_port).start()
        else:
            await web.UnixSite(admin, place.admin_socket).start()
        router = RunningRouter(context, public, _port(public), _port(admin))
        stack.push_async_callback(router.leave)
        yield router


async def _make_context(settings: Settings, place: WorkerPlace | None, stack: AsyncExitStack) -> Context:
    secret = settings.draw_key.encode() if settings.draw_key else secrets.token_bytes(32)
    keys = None if settings.api_keys_file is None else read_api_keys(settings.api_keys_file)
    receiver = ConfigReceiver(wall_clock=time.time, monotonic=time.monotonic)
    metrics = Metrics()
    degraded: dict[str, str] = {}
    socket = None if place is None else place.state_socket
    store = await open_store(settings, socket, stack, degraded=degraded)
    cache_counts = CacheCounts()
    reuse = open_reuse(
        settings,
        store,
        cache_counts,
        shared=not isinstance(store, MemoryStore),
        clock=time.monotonic,
        wall=time.time,
    )
    stack.push_async_callback(reuse.close)
    if reuse.degraded is not None:
        degraded["cache"] = reuse.degraded
    breakers = BreakerRegistry(random.random)
    transport: Transport = Http1Transport(settings)
    stack.push_async_callback(transport.close)
    statistics, health = StatisticsRegistry(), HealthRegistry()
    measured: Statistics = statistics
    if isinstance(store, ResilientStore):
        measured = shared = SharedStatistics(
            store, statistics, available=lambda: store.available, clock=time.monotonic, wall=time.time
        )
        stack.push_async_callback(_cancelled, asyncio.create_task(shared.run(), name="sharing statistics"))
    draws = KeyedDraws(_derive(secret, b"fairlead-draws"))
    dispatcher = Dispatcher(
        Attempts(
            make_adapters(transport),
            breakers,
            clock=time.monotonic,
            wall=time.time,
            max_response_bytes=settings.max_response_bytes,
            max_event_bytes=settings.max_event_bytes,
            statistics=statistics,
        ),
        breakers,
        draws=draws,
        health=health,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        draw=random.random,
    )
    metrics.registry.register(cache_counts)
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
        access = LineWriter(_write_standard_output if place is None else place.write_lines)
        stack.callback(access.close)
    sink = RecordSink(capacity=settings.decision_buffer, lines=record_lines)
    node = os.uname().nodename
    telemetry = open_telemetry(
        settings,
        version=version("fairlead"),
        instance=f"{node}-{os.getpid()}",
        draw=random.random,
        tell=_tell_in(degraded),
    )
    if telemetry is not None:
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
    recorder = Recorder(sink, metrics, access, router=node, defer=_soon, telemetry=telemetry)
    stack.callback(recorder.flush)
    pipeline = Pipeline(
        receiver=receiver,
        identifier=Identifier(
            keys,
            default_workspace=settings.default_workspace,
            hash_key=_derive(secret, b"fairlead-subjects"),
            anonymous_max_priority=settings.anonymous_max_priority,
        ),
        admission=Admission(
            max_body_bytes=settings.max_body_bytes,
            max_concurrent_requests=settings.max_concurrent_requests,
            max_queued_requests=settings.max_queued_requests,
            queue_seconds=settings.queue_seconds,
            max_buffered_bytes=settings.max_buffered_bytes,
        ),
        store=store,
        breakers=breakers,
        draws=draws,
        statistics=measured,
        health=health,
        dispatcher=dispatcher,
        recorder=recorder,
        clock=time.monotonic,
        wall=time.time,
        new_id=DecisionIds(),
        tracing=Tracing(sampling_of(settings), secrets.token_bytes),
        reuse=reuse,
    )
    doors = Doors(time.time)
    register_admission(metrics, pipeline.admission)
    register_configuration(metrics, receiver, doors)
    register_health(metrics, receiver, dispatcher, time.monotonic)
    register_record(metrics, [each for each in (record_lines, access) if each is not None], telemetry, degraded)
    if isinstance(store, ResilientStore):
        sharing = BreakerSharing(
            store, breakers, available=lambda: store.available, clock=time.monotonic, wall=time.time
        )
        register_store(metrics, store, sharing)
        stack.push_async_callback(_cancelled, asyncio.create_task(sharing.run(), name="sharing breakers"))
    housekeeping = asyncio.create_task(_keep_house(store, receiver, dispatcher), name="housekeeping")
    stack.push_async_callback(_cancelled, housekeeping)
    checks = HealthChecks(transport, health, draw=random.random, sleep=asyncio.sleep)
    checking = asyncio.create_task(checks.run(lambda: receiver.table), name="health checks")
    stack.push_async_callback(_cancelled, checking)
    return Context(pipeline, recorder, settings, version("fairlead"), doors, degraded)


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


def _front(context: Context, server: BoundedServer) -> FrontServer:
    settings = context.settings
    return FrontServer(
        partial(serve, context),
        context.leaving,
        server.make_connection,
        heads=HeadLimits(settings.max_header_bytes, settings.max_headers),
        keepalive_seconds=_KEEPALIVE_SECONDS,
        stalled_seconds=settings.stalled_seconds,
    )


async def _set_up(
    stack: AsyncExitStack, app: web.Application, front: Callable[[BoundedServer], FrontServer] | None = None
) -> web.AppRunner:
    """A server that does not listen yet."""
    settings = app[CONTEXT].settings
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_connections_per_address,
        settings.head_seconds,
        settings.stalled_seconds,
    )
    runner = BoundedRunner(
        app,
        limits=limits,
        refused=app[CONTEXT].pipeline.admission.count_refusal,
        front=front,
        handler_cancellation=True,
        access_log=None,
        logger=_http_logger(),
        # Whoever may still finish has finished when it comes to this: see ``http.leaving``.
        shutdown_timeout=_CANCEL_SECONDS,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        max_line_size=settings.max_header_bytes,
        max_field_size=settings.max_header_bytes,
        max_headers=settings.max_headers,
        lingering_time=_LINGER_SECONDS,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1]) if runner.addresses and isinstance(runner.addresses[0], tuple) else 0


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


def _tell_in(degraded: dict[str, str]) -> Tell:
    """Names a state, or takes the name back, on the event loop, whichever thread it is told on."""
    loop = asyncio.get_running_loop()

    def put(component: str, problem: str | None) -> None:
        if problem is None:
            degraded.pop(component, None)
        else:
            degraded[component] = problem

    def tell(component: str, problem: str | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(put, component, problem)

    return tell


def _soon(flush: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(_RECORD_SECONDS, flush)


def _write_standard_output(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


async def _keep_house(store: StateStore, receiver: ConfigReceiver, dispatcher: Dispatcher) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        try:
            await store.expire(now=time.time())
            dispatcher.retain(receiver.table)
        except Exception:
            logger.exception("housekeeping failed; it goes on")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
