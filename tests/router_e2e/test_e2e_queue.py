"""More requests than places: they wait in line, in order, not for ever, and leave no trace when they give up."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, Reply, eventually, serving
from tests.router_e2e.test_e2e_hangup import caller, hang_up
from tests.router_e2e.world import policy, provider


class Line:
    """A router with one place, which is taken until :meth:`go`."""

    def __init__(self, router: Harness, upstream: FakeUpstream, gate: asyncio.Event) -> None:
        self.router = router
        self.upstream = upstream
        self.gate = gate

    @property
    def queued(self) -> int:
        return self.router.running.context.pipeline.admission.queued

    async def join(self, user: str, **headers: str) -> asyncio.Task[Reply]:
        """Ask, and wait until the request stands in line."""
        before = self.queued
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        task = asyncio.create_task(self.router.chat(user=user, headers=named))
        await eventually(lambda: self.queued == before + 1, "one more waits")
        return task

    @property
    def served(self) -> list[str]:
        """Who reached the provider, in this order."""
        return [each.json["user"] for each in self.upstream.received[1:]]


@asynccontextmanager
async def line(upstream: FakeUpstream, **settings: Any) -> AsyncIterator[Line]:
    gate = asyncio.Event()
    upstream.plays([gate, *upstream.default])  # type: ignore[misc]
    limits = {"max_concurrent_requests": 1, "max_queued_requests": 10, "queue_seconds": 20.0} | settings
    async with serving(provider(upstream.url), policy("acme/small"), **limits) as router:
        headers = {"authorization": "Bearer urgent"} if "api_keys_file" in limits else None
        first = asyncio.create_task(router.chat(user="first", headers=headers))
        await upstream.arrived(1)
        yield Line(router, upstream, gate)
        gate.set()
        assert (await first).status == 200
        await router.idle()
        assert router.running.context.pipeline.admission.buffers.held == 0


async def test_who_waits_is_served_in_order_as_places_become_free(upstream: FakeUpstream) -> None:
    async with line(upstream) as waiting:
        tasks = [await waiting.join(str(number)) for number in range(4)]
        assert await waiting.router.metric("fairlead_requests_queued") == 4
        waiting.gate.set()
        assert [(await task).status for task in tasks] == [200] * 4
        assert waiting.served == ["0", "1", "2", "3"]
        assert await waiting.router.metric("fairlead_queue_wait_seconds_count") == 4
        assert await waiting.router.metric("fairlead_requests_queued") == 0


async def test_who_says_that_it_can_wait_is_overtaken_and_nobody_rises_without_a_key(upstream: FakeUpstream) -> None:
    async with line(upstream) as waiting:
        low = await waiting.join("low", x_fairlead_priority="low")
        one = await waiting.join("one")
        two = await waiting.join("two", x_fairlead_priority="high")
        waiting.gate.set()
        await asyncio.gather(low, one, two)
        assert waiting.served == ["one", "two", "low"]


async def test_the_metadata_of_a_body_says_it_too(upstream: FakeUpstream) -> None:
    async with line(upstream) as waiting:
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}], "user": "low"}
        data = json.dumps(body | {"metadata": {"priority": "low"}}).encode()
        low = asyncio.create_task(waiting.router.post(data))
        await eventually(lambda: waiting.queued == 1, "it waits")
        normal = await waiting.join("normal")
        waiting.gate.set()
        await asyncio.gather(low, normal)
        assert waiting.served == ["normal", "low"]


async def test_a_key_may_allow_more_or_less(upstream: FakeUpstream, tmp_path: Path) -> None:
    keys = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "maxPriority": priority}
        for name, priority in (("urgent", "high"), ("plain", "normal"), ("batch", "low"))
    ]
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": keys}))
    async with line(upstream, api_keys_file=file) as waiting:
        batch = await waiting.join("batch", authorization="Bearer batch", x_fairlead_priority="high")
        plain = await waiting.join("plain", authorization="Bearer plain", x_fairlead_priority="high")
        quiet = await waiting.join("quiet", authorization="Bearer urgent")
        urgent = await waiting.join("urgent", authorization="Bearer urgent", x_fairlead_priority="high")
        waiting.gate.set()
        await asyncio.gather(batch, plain, quiet, urgent)
        assert waiting.served == ["urgent", "plain", "quiet", "batch"]


async def test_a_full_line_is_refused_before_the_body_is_read(upstream: FakeUpstream) -> None:
    async with line(upstream, max_queued_requests=1) as waiting:
        one = await waiting.join("one")
        refused = await waiting.router.chat(user="two")
        assert (refused.status, refused.error_code) == (503, "router_overloaded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert await waiting.router.metric("fairlead_requests_refused_total", reason="queue_full") == 1
        waiting.gate.set()
        assert (await one).status == 200
        assert waiting.served == ["one"]


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"queue_seconds": 0.05}, {}),
        ({}, {"x_fairlead_queue_timeout_ms": "50"}),
        ({}, {"x_stainless_read_timeout": "0.05"}),
    ],
    ids=["the router's bound", "the client's", "its SDK's"],
)
async def test_who_waited_too_long_is_told_so(
    upstream: FakeUpstream, settings: dict[str, Any], headers: dict[str, str]
) -> None:
    async with line(upstream, **settings) as waiting:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        refused = await waiting.router.chat(headers=named)
        assert (refused.status, refused.error_code) == (503, "queue_timeout")
        assert int(refused.headers["retry-after"]) >= 1
        assert waiting.queued == 0
        assert waiting.served == []
        assert await waiting.router.metric("fairlead_requests_refused_total", reason="queue_timeout") == 1


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
async def test_who_hangs_up_in_line_frees_its_place_in_it_and_never_reaches_a_provider(
    upstream: FakeUpstream, reset: bool
) -> None:
    async with line(upstream) as waiting:
        async with caller(waiting.router, stream=False) as (_, writer):
            await eventually(lambda: waiting.queued == 1, "it waits")
            hang_up(writer, reset=reset)
            await eventually(lambda: waiting.queued == 0, "it waits no longer")
        other = await waiting.join("other")
        waiting.gate.set()
        assert (await other).status == 200
        assert waiting.served == ["other"]


async def test_a_stream_waits_in_line_like_any_request(upstream: FakeUpstream) -> None:
    from tests.router_e2e.scripts import streams

    async with line(upstream) as waiting:
        upstream.plays(streams())
        task = asyncio.create_task(waiting.router.chat(stream=True, user="stream"))
        await eventually(lambda: waiting.queued == 1, "it waits")
        waiting.gate.set()
        assert (await task).text == "hello"


async def test_the_time_in_line_is_not_the_routers_overhead(upstream: FakeUpstream) -> None:
    async with line(upstream) as waiting:
        task = await waiting.join("slow")
        await asyncio.sleep(0.3)  # the very thing that is measured
        waiting.gate.set()
        record = await waiting.router.record(await task)
        assert record["durationMicroseconds"] >= 300_000
        assert record["overheadMicroseconds"] < 250_000


@pytest.mark.parametrize(("name", "value"), [("x-fairlead-priority", "asap"), ("x-fairlead-queue-timeout-ms", "soon")])
async def test_a_header_that_says_nothing_sensible_is_400_also_when_there_is_room(
    upstream: FakeUpstream, name: str, value: str
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat(headers={name: value})
        assert (reply.status, reply.error_code, reply.json["error"]["param"]) == (400, "invalid_request", name)


async def test_a_question_about_a_request_takes_a_place_and_does_not_wait_for_one(upstream: FakeUpstream) -> None:
    async with line(upstream) as waiting:
        reply = await waiting.router.request("POST", "/api/routing/test", data=b'{"prompt": "x"}')
        assert (reply.status, reply.error_code) == (503, "router_overloaded")
        waiting.gate.set()
        await eventually(lambda: waiting.router.in_flight == 0, "there is room")
        reply = await waiting.router.request("POST", "/api/routing/test", data=b'{"prompt": "x"}')
        assert reply.status == 200
