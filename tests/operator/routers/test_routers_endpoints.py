"""What routers say of endpoints: read as far as it can be, bounded, and never in the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.metrics import Metrics
from fairlead_operator.routers.endpoint_watch import EndpointWatch, grace_seconds, pause_seconds
from fairlead_operator.routers.endpoints import EndpointPoller, EndpointReport, by_provider, endpoint_report_of
from fairlead_operator.routers.patience import GRACE_SECONDS, Patience
from fairlead_operator.status.endpoints import Sighting, combine

PLACE = ("team-a/openai", "main")
ENDPOINT: dict[str, Any] = {
    "provider": PLACE[0],
    "name": PLACE[1],
    "state": "Unhealthy",
    "scorePercent": 0,
    "breaker": "Open",
    "calls": 12,
    "latencyP50Milliseconds": 80,
    "errorPercent": 75.0,
    "check": {"healthy": False, "consecutive": 4, "error": "timeout"},
}
SIGHTING = Sighting(EndpointState.UNHEALTHY, BreakerState.OPEN, 0, 12, 80, 75.0, "timeout")


def said(**changes: Any) -> bytes:
    endpoint = {name: value for name, value in (ENDPOINT | changes).items() if value is not None}
    return json.dumps({"endpoints": [endpoint], "retriesWithheld": 0, "more": [1]}).encode()


def seen(**changes: Any) -> Sighting:
    return endpoint_report_of("http://r", said(**changes)).sightings[PLACE]


def test_everything_a_router_says_of_an_endpoint_is_read() -> None:
    assert seen() == SIGHTING


def test_a_check_that_passes_is_no_error() -> None:
    assert seen(check={"healthy": True, "consecutive": 1, "error": "timeout"}).check_error is None
    assert seen(check=None).check_error is None


def test_a_router_of_an_earlier_version_counts_no_calls() -> None:
    assert seen(calls=None).calls is None


def test_what_a_router_calls_an_error_is_cut_to_a_word_or_two() -> None:
    error = seen(check={"healthy": False, "error": "x" * 5000}).check_error
    assert error is not None
    assert len(error) == 100


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{}", said(state="Excellent"), said(breaker="Ajar"), said(scorePercent="90"), said(name=None)],
)  # fmt: skip
def test_what_this_version_cannot_read_is_found_out(answer: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        endpoint_report_of("http://r", answer)


def test_routers_are_put_together_by_provider_and_endpoint() -> None:
    one = EndpointReport("http://1", {PLACE: SIGHTING})
    well = Sighting(EndpointState.HEALTHY, calls=3, error_percent=0.0)
    other = EndpointReport("http://2", {PLACE: well, ("team-a/openai", "us"): well})
    silent = EndpointReport("http://3", {PLACE: well}, reachable=False)
    assert by_provider([one, other, silent]) == {
        "team-a/openai": {"main": combine([SIGHTING, well]), "us": combine([well])}
    }
    assert by_provider([silent]) is None
    assert by_provider([]) is None
    assert by_provider([EndpointReport("http://4")]) == {}


# ------------------------------------------------------------------------------------------------ asking

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def states(watch: EndpointWatch) -> list[str] | None:
    """Of all endpoints shown."""
    observed = watch.observed
    if observed is None:
        return None
    return [each.state.value for endpoints in observed.shown.values() for each in endpoints.values()]


async def router_that(handler: Handler) -> TestServer:
    app = web.Application()
    app.router.add_get("/-/health", handler)
    server = TestServer(app)
    await server.start_server()
    return server


async def answers(_: web.Request) -> web.Response:
    return web.Response(body=said())


async def refuses(_: web.Request) -> web.Response:
    return web.Response(status=503, body=said())


async def hangs(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response(body=said())


async def speaks_otherwise(_: web.Request) -> web.Response:
    return web.Response(body=said(state="Excellent"))


async def never_ends(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b" " * 100_000)
    return response


async def test_only_routers_that_answer_briefly_and_readably_count(http: aiohttp.ClientSession) -> None:
    servers = [await router_that(each) for each in (answers, refuses, hangs, speaks_otherwise, never_ends)]
    metrics = Metrics()
    try:
        started = asyncio.get_running_loop().time()
        addresses = [str(server.make_url("")).rstrip("/") for server in servers] + ["http://127.0.0.1:1"]
        reports = await EndpointPoller(metrics).ask_all(http, addresses)
        assert asyncio.get_running_loop().time() - started < 10
    finally:
        for server in servers:
            await server.close()
    assert [report.reachable for report in reports] == [True, False, False, False, False, False]
    assert reports[0].sightings == {PLACE: SIGHTING}
    exposed = metrics.render().decode()
    assert 'fairlead_operator_health_answers_total{result="answered"} 1.0' in exposed
    assert 'fairlead_operator_health_answers_total{result="failed"} 5.0' in exposed


async def test_routers_are_watched_until_told_otherwise_and_changes_told(http: aiohttp.ClientSession) -> None:
    state = "Healthy"

    async def current(_: web.Request) -> web.Response:
        return web.Response(body=said(state=state, breaker="Closed", check=None))

    server = await router_that(current)
    told = asyncio.Event()
    watch = EndpointWatch(EndpointPoller(Metrics()), clock=asyncio.get_running_loop().time, draw=lambda: 0.0)
    running = asyncio.create_task(watch.run(http, lambda: [str(server.make_url("")).rstrip("/")], told.set))
    try:
        async with asyncio.timeout(10):
            await told.wait()
            assert states(watch) == ["Healthy"]
            told.clear()
            state = "Degraded"
            await told.wait()
        assert states(watch) == ["Degraded"]
    finally:
        running.cancel()
        await server.close()


@pytest.mark.parametrize(
    ("endpoints", "shortest", "longest"), [(0, 2.4, 3.6), (300, 2.4, 3.6), (1000, 8.0, 12.0), (100_000, 24.0, 36.0)]
)
def test_the_more_there_is_to_tell_the_less_often_routers_are_asked(
    endpoints: int, shortest: float, longest: float
) -> None:
    assert [pause_seconds(endpoints, draw) for draw in (0.0, 1.0)] == pytest.approx([shortest, longest])


@pytest.mark.parametrize("endpoints", [0, 1000, 100_000])
@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_however_seldom_routers_are_asked_one_late_answer_is_forgiven_and_not_two(endpoints: int, draw: float) -> None:
    pause, late = pause_seconds(endpoints, draw), 2.0
    router = EndpointReport("http://1", {PLACE: SIGHTING})
    silent = EndpointReport("http://1", reachable=False)
    patience = Patience[EndpointReport](grace_seconds(pause))
    patience.steady([router], 0.0)
    assert patience.steady([silent], pause + late) == (router,)
    assert patience.steady([silent], 4 * pause + GRACE_SECONDS) == (silent,)


async def test_what_was_written_stands_until_no_router_has_answered_for_a_while(http: aiohttp.ClientSession) -> None:
    now = 0.0
    told, asked = asyncio.Event(), asyncio.Event()

    def nobody() -> Sequence[str]:
        asked.set()
        return ()

    watch = EndpointWatch(EndpointPoller(Metrics()), clock=lambda: now, draw=lambda: 0.0)
    running = asyncio.create_task(watch.run(http, nobody, told.set))
    try:
        async with asyncio.timeout(10):
            await asked.wait()
            await asyncio.sleep(0.2)
            assert states(watch) is None
            now = GRACE_SECONDS
            await told.wait()
        assert states(watch) == []
    finally:
        running.cancel()
