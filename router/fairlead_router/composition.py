"""Puts a router together from its settings: which part is given which, and who is closed before whom."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import secrets
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fairlead_router.admit.counters import register_admission
from fairlead_router.admit.limits import Admission
from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.open import open_reuse
from fairlead_router.classify.open import open_classifier
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
from fairlead_router.http.context import Context
from fairlead_router.identify.api_keys import read_api_keys
from fairlead_router.identify.identity import Identifier
from fairlead_router.ids import DecisionIds
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.lines import LineWriter
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.readings import (
    register_classifier,
    register_configuration,
    register_health,
    register_record,
    register_store,
)
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
_RECORD_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What is different for a router that is one of several on a machine: it is told when to listen, and shares."""

    admin_socket: Path
    """Unix socket of its admin API."""
    state_socket: Path | None
    """Unix socket of the store that all workers share; ``None`` if the settings name one."""
    write_lines: Callable[[bytes], None]
    """Writes to the standard output that all workers share."""


async def compose(settings: Settings, place: WorkerPlace | None, stack: AsyncExitStack) -> Context:
    """All parts of one router; they end with ``stack``. Raises ``SettingError``, ``ApiKeysError`` or ``OSError``."""
    secret = settings.draw_key.encode() if settings.draw_key else secrets.token_bytes(32)
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
        _run(stack, shared.run(), "sharing statistics")
    draws = KeyedDraws(derive(secret, b"fairlead-draws"))
    attempts = Attempts(
        make_adapters(transport),
        breakers,
        clock=time.monotonic,
        wall=time.time,
        max_response_bytes=settings.max_response_bytes,
        max_event_bytes=settings.max_event_bytes,
        statistics=statistics,
    )
    dispatcher = Dispatcher(
        attempts,
        breakers,
        draws=draws,
        health=health,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        draw=random.random,
    )
    metrics.registry.register(cache_counts)
    record_lines = _open_decision_log(settings, stack)
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
        tell=tell_in(degraded),
    )
    if telemetry is not None:
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
    recorder = Recorder(sink, metrics, access, router=node, defer=_soon, telemetry=telemetry)
    stack.callback(recorder.flush)
    classifier, classified = await open_classifier(
        settings,
        # A store of this process alone is full of better things: what the process has at hand is enough.
        None if isinstance(store, MemoryStore) else store,
        derive(secret, b"fairlead-texts"),
        stack,
        tell=tell_in(degraded),
    )
    pipeline = Pipeline(
        receiver=receiver,
        identifier=make_identifier(settings, derive(secret, b"fairlead-subjects")),
        admission=make_admission(settings),
        store=store,
        breakers=breakers,
        draws=draws,
        statistics=measured,
        health=health,
        dispatcher=dispatcher,
        recorder=recorder,
        classifier=classifier,
        clock=time.monotonic,
        wall=time.time,
        new_id=DecisionIds(),
        tracing=Tracing(sampling_of(settings), secrets.token_bytes),
        reuse=reuse,
    )
    doors = Doors(time.time)
    receiver.on_running.append(lambda *_: classifier.want() if receiver.table.needs_classifier else None)
    register_admission(metrics, pipeline.admission)
    register_classifier(metrics, classifier, classified)
    register_configuration(metrics, receiver, doors)
    register_health(metrics, receiver, dispatcher, time.monotonic)
    register_record(metrics, [each for each in (record_lines, access) if each is not None], telemetry, degraded)
    if isinstance(store, ResilientStore):
        sharing = BreakerSharing(
            store, breakers, available=lambda: store.available, clock=time.monotonic, wall=time.time
        )
        register_store(metrics, store, sharing)
        _run(stack, sharing.run(), "sharing breakers")
    _run(stack, _keep_house(store, receiver, dispatcher), "housekeeping")
    checks = HealthChecks(transport, health, draw=random.random, sleep=asyncio.sleep)
    _run(stack, checks.run(lambda: receiver.table), "health checks")
    return Context(pipeline, recorder, settings, version("fairlead"), classifier, doors, degraded)


def make_identifier(settings: Settings, hash_key: bytes) -> Identifier:
    """Raises ``ApiKeysError``."""
    return Identifier(
        None if settings.api_keys_file is None else read_api_keys(settings.api_keys_file),
        default_workspace=settings.default_workspace,
        hash_key=hash_key,
        anonymous_max_priority=settings.anonymous_max_priority,
    )


def make_admission(settings: Settings) -> Admission:
    """Within the bounds that are set."""
    return Admission(
        max_body_bytes=settings.max_body_bytes,
        max_concurrent_requests=settings.max_concurrent_requests,
        max_queued_requests=settings.max_queued_requests,
        queue_seconds=settings.queue_seconds,
        max_buffered_bytes=settings.max_buffered_bytes,
    )


def _open_decision_log(settings: Settings, stack: AsyncExitStack) -> LineWriter | None:
    if settings.decision_log is None:
        return None
    file = stack.enter_context(settings.decision_log.open("ab"))

    def append(data: bytes) -> None:
        file.write(data)
        file.flush()

    lines = LineWriter(append)
    stack.callback(lines.close)
    return lines


def _run(stack: AsyncExitStack, work: Coroutine[None, None, None], name: str) -> None:
    """Let ``work`` go on in the background until the stack ends."""
    stack.push_async_callback(_cancelled, asyncio.create_task(work, name=name))


def derive(secret: bytes, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose, named in at most 16."""
    return hashlib.blake2b(secret[:64], digest_size=32, person=purpose[:16]).digest()


def tell_in(degraded: dict[str, str]) -> Tell:
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
