"""Idempotency-Key over real HTTP: a request that is sent again is answered again, and billed once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from devcluster.redis_server import RedisServer
from tests.redis_fixtures import own_redis, redis_server, running_redis
from tests.router_e2e.fake_upstream import HANG, FakeUpstream
from tests.router_e2e.harness import HELLO, Harness, Reply, eventually, serving
from tests.router_e2e.scripts import answers, completion, fails, http, streams, word
from tests.router_e2e.test_e2e_cache import PATIENT, dumped
from tests.router_e2e.world import policy, provider

__all__ = ["own_redis", "redis_server", "running_redis"]

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


@asynccontextmanager
async def routing(upstream: FakeUpstream, **settings: Any) -> AsyncIterator[Harness]:
    """A router whose policy has no cache."""
    async with serving(provider(upstream.url), policy("acme/small"), **(PATIENT | settings)) as router:
        yield router


def replayed(reply: Reply) -> bool:
    return bool(reply.headers.get("x-fairlead-idempotent-replay") == "true")


async def spent(router: Harness) -> float:
    """Micro-dollars."""
    return round(1e6 * await router.metric("fairlead_cost_usd_total", model="team/acme/small"))


@pytest.mark.parametrize("fields", [{}, STREAM], ids=["whole", "stream"])
async def test_a_repeat_is_answered_again_byte_for_byte_and_not_billed(
    upstream: FakeUpstream, fields: dict[str, Any]
) -> None:
    upstream.plays(streams() if fields else answers())
    async with routing(upstream) as router:
        first = await router.chat(headers=KEY, **fields)
        second = await router.chat(headers=KEY, **fields)
        assert [replayed(first), replayed(second)] == [False, True]
        assert second.body == first.body
        assert second.headers["Content-Type"] == first.headers["Content-Type"]
        assert "x-fairlead-cache" not in second.headers
        record = await router.record(second)
        assert record["idempotentReplay"] is True
        assert record.get("costMicroUsd", 0) == 0
        assert len(upstream.received) == 1
        assert await spent(router) == 20
        await router.idle()


async def test_a_model_called_by_name_has_repeats_too(upstream: FakeUpstream) -> None:
    async with routing(upstream) as router:
        assert [replayed(await router.chat("small", headers=KEY)) for _ in range(2)] == [False, True]


async def test_twenty_repeats_while_the_first_runs_are_one_call(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, http(200, json.dumps(completion()).encode())]
    async with routing(upstream) as router:
        asking = [asyncio.create_task(router.chat(headers=KEY)) for _ in range(20)]
        await eventually(lambda: router.in_flight == 20, "all are here")
        gate.set()
        replies = await asyncio.gather(*asking)
        assert sorted(map(replayed, replies)) == [False] + [True] * 19
        assert len({reply.body for reply in replies}) == 1
        assert len(upstream.received) == 1
        assert await spent(router) == 20


async def test_a_repeat_that_cannot_wait_longer_is_told_to_come_again(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays([gate, *answers()])
    async with routing(upstream, idempotency_wait_seconds=0.05) as router:
        first = asyncio.create_task(router.chat(headers=KEY))
        await upstream.arrived()
        early = await router.chat(headers=KEY)
        assert (early.status, early.error_code, early.headers["Retry-After"]) == (409, "idempotency_key_in_use", "1")
        gate.set()
        assert (await first).status == 200
        assert replayed(await router.chat(headers=KEY))


async def test_another_body_under_the_same_key_is_refused(upstream: FakeUpstream) -> None:
    async with routing(upstream) as router:
        await router.chat(headers=KEY)
        reply = await router.chat(headers=KEY, seed=1)
        assert (reply.status, reply.error_code) == (422, "idempotency_key_reused")
        assert len(upstream.received) == 1
        assert (await router.record(reply))["error"] == "idempotency_key_reused"


async def test_a_key_that_is_none_is_refused(upstream: FakeUpstream) -> None:
    async with routing(upstream) as router:
        reply = await router.chat(headers={"idempotency-key": "x" * 256})
        assert (reply.status, reply.error_code) == (400, "idempotency_key_invalid")


FAILURES: list[tuple[str, Any, dict[str, Any]]] = [
    ("an error", fails(500), {}),
    ("a rate limit", fails(429), {}),
    ("a refusal", fails(400, "bad"), {}),
    ("a stream that breaks off", streams(word("x")), STREAM),
]


@pytest.mark.parametrize(("script", "fields"), [pytest.param(*case, id=name) for name, *case in FAILURES])
async def test_what_failed_runs_anew(upstream: FakeUpstream, script: Any, fields: dict[str, Any]) -> None:
    upstream.plays(script, streams() if fields else answers())
    async with routing(upstream) as router:
        await router.chat(headers=KEY, **fields)
        again = await router.chat(headers=KEY, **fields)
        assert (again.status, replayed(again)) == (200, False)
        assert replayed(await router.chat(headers=KEY, **fields))
        assert len(upstream.received) == 2


async def test_after_a_hang_up_a_repeat_that_waits_runs(upstream: FakeUpstream) -> None:
    upstream.plays([HANG])
    async with routing(upstream) as router:
        first = asyncio.create_task(router.chat(headers=KEY))
        hung = await upstream.arrived()
        repeat = asyncio.create_task(router.chat(headers=KEY))
        await eventually(lambda: router.in_flight == 2, "the repeat is here")
        first.cancel()
        await hung.client_gone()
        assert (await repeat).status == 200
        assert len(upstream.received) == 2


async def test_the_retries_of_the_official_client_run_until_one_works_and_then_repeat_it(
    upstream: FakeUpstream,
) -> None:
    upstream.plays(fails(500), answers())
    async with (
        routing(upstream) as router,
        openai.AsyncOpenAI(api_key="k", base_url=f"{router.url}/v1", max_retries=2) as client,
    ):

        async def ask() -> str | None:
            answer = await client.chat.completions.create(model="auto", messages=HELLO, extra_headers=KEY)  # type: ignore[arg-type]
            return answer.choices[0].message.content

        assert await ask() == "hello"
        assert await ask() == "hello"
        assert len(upstream.received) == 2
        assert await spent(router) == 20


async def test_a_repeat_at_another_router_gets_the_answer_and_nothing_readable_is_stored(
    upstream: FakeUpstream, redis_server: RedisServer
) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, http(200, json.dumps(completion("canary-answer")).encode())]
    settings: dict[str, Any] = {"redis_url": redis_server.url, "cache_key": "s" * 32}
    canary = [{"role": "user", "content": "canary-prompt"}]
    async with routing(upstream, **settings) as one, routing(upstream, **settings) as two:
        first = asyncio.create_task(one.chat(messages=canary, headers=KEY))
        await upstream.arrived()
        second = asyncio.create_task(two.chat(messages=canary, headers=KEY))
        await eventually(lambda: two.in_flight == 1, "the repeat is here")
        gate.set()
        replies = [await first, await second]
        assert [replayed(reply) for reply in replies] == [False, True]
        assert len(upstream.received) == 1
        dump = await dumped(redis_server, b"repeat/")
        for secret in (b"canary-prompt", b"canary-answer", KEY["idempotency-key"].encode()):
            assert secret not in dump
