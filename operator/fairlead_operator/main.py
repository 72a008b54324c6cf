"""Puts the operator together from its settings, and ends it in order."""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
import signal
import time
from contextlib import AsyncExitStack
from importlib.metadata import version

from aiohttp import web

from fairlead_crds.compile.resources import Settings as CompileSettings
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import KubeClient
from fairlead_operator.debounce import Debounce
from fairlead_operator.health import Health
from fairlead_operator.http import make_app
from fairlead_operator.lead.elector import Elector
from fairlead_operator.metrics import Metrics
from fairlead_operator.observe.stream import Stream
from fairlead_operator.operator import Operator
from fairlead_operator.publish.publisher import Publisher
from fairlead_operator.routers.endpoint_watch import EndpointWatch
from fairlead_operator.routers.endpoints import EndpointPoller
from fairlead_operator.routers.poll import RouterPoller
from fairlead_operator.settings import Settings
from fairlead_operator.status.poster import EventPoster
from fairlead_operator.status.writer import StatusWriter

logger = logging.getLogger("fairlead.operator")


async def serve(access: KubeAccess, settings: Settings) -> None:
    """Operate until SIGTERM or SIGINT, then release the Lease. Raises ``OSError`` for a taken port."""
    _quieten_kopf()
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            KubeClient(access, user_agent=f"fairlead-operator/{version('fairlead')}")
        )
        operator = make_operator(client, settings, metrics)
        health = Health(operator.stream, time.monotonic)
        runner = web.AppRunner(make_app(metrics, alive=health.alive, ready=health.ready), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
        running = asyncio.create_task(operator.run(), name="operator")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            logger.info("stopping: the Lease is released, routers go on with what they have")
            await operator.elector.release()


def make_operator(client: KubeClient, settings: Settings, metrics: Metrics) -> Operator:
    """All parts, with real clocks and randomness."""
    dirty = Debounce(settings.debounce, settings.debounce_max, clock=time.monotonic)
    stream = Stream(client, settings, metrics, dirty.mark)
    elector = Elector(
        client,
        settings.namespace,
        settings.lease_name,
        settings.identity,
        settings.lease_duration,
        monotonic=time.monotonic,
        wall=_now,
    )
    poster = EventPoster(client, elector, metrics, monotonic=time.monotonic, wall=_now)
    return Operator(
        stream=stream,
        elector=elector,
        publisher=Publisher(
            client, elector, settings.namespace, settings.snapshot_config_map, settings.credentials_secret
        ),
        poller=RouterPoller(
            client, settings.namespace, settings.router_service, settings.router_admin_port, settings.routers
        ),
        endpoints=EndpointWatch(EndpointPoller(metrics), clock=time.monotonic, draw=random.random),
        writer=StatusWriter(client, elector, stream.inventory, metrics, poster, wall=_now),
        poster=poster,
        metrics=metrics,
        compile_settings=CompileSettings(settings.platform, settings.default_namespace),
        dirty=dirty,
        resync_seconds=settings.resync,
        draw=random.random,
        wall=_now,
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _quieten_kopf() -> None:
    """Kopf logs a line for every event it hands on, and that signals are not its own."""
    logging.getLogger("kopf").setLevel(logging.ERROR)
