"""The response cache over real HTTP: who is answered without a call, byte for byte, and what is billed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest

from devcluster.redis_server import RedisServer
from fairlead_contract.fragments import Cache
from tests.redis_fixtures import own_redis, redis_server, running_redis
from tests.router_e2e.fake_upstream import HANG, FakeUpstream
from tests.router_e2e.harness import HELLO, Harness, Reply, eventually, serving
from tests.router_e2e.scripts import FINISH, answers, completion, event, fails, gated_stream, http, streams, word
from tests.router_e2e.world import policy, provider, ref, workspace

__all__ = ["own_redis", "redis_server", "running_redis"]

PATIENT = {"cache_store_seconds": 10.0, "cache_wait_seconds": 30.0, "idempotency_wait_seconds": 30.0}
STREAM = {"stream": True}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@asynccontextmanager
async def caching(upstream: FakeUpstream, ttl: int = 600, **settings: Any) -> AsyncIterator[Harness]:
    """A router whose one policy has a cache."""
    cached = policy("acme/small", cache=Cache(ttl))
    async with serving(provider(upstream.url), cached, **(PATIENT | settings)) as router:
        yield router


def cache_word(reply: Reply) -> str | None:
    return reply.headers.get("x-fairlead-cache")


def followers(router: Harness) -> int:
    """Requests that wait for the answer to another."""
    reuse = router.running.context.pipeline.reuse
    assert reuse is not None
    assert reuse.answers is not None
    return reuse.answers.flights.waiting


async def test_the_second_of_two_equal_requests_is_answered_without_a_call_and_for_nothing(
    upstream: FakeUpstream,
) -> None:
    async with caching(upstream) as router:
        first, second = await router.chat(), await router.chat()
        assert (cache_word(first), cache_word(second)) == ("miss", "hit")
        assert second.body == first.body
        assert second.headers["Content-Type"] == first.headers["Content-Type"]
        assert second.headers["x-fairlead-model"] == "team/acme/small"
        assert second.headers["x-fairlead-attempts"] == "0"
        assert len(upstream.received) == 1
        paid, free = await router.record(first), await router.record(second)
        assert paid["cache"] == {"result": "Miss"}
        assert free["cache"]["result"] == "Hit"
        assert (paid["costMicroUsd"], free.get("costMicroUsd", 0)) == (20, 0)
        assert free["usage"] == paid["usage"]
        assert (free["chosen"], free.get("attempts", []), free.get("budgets", [])) == ("team/acme/small", [], [])
        assert await router.metric("fairlead_cache_requests_total", result="hit") == 1
        assert await router.metric("fairlead_cost_usd_total", model="team/acme/small") == pytest.approx(20e-6)
        await router.idle()


@pytest.mark.parametrize("fields", [STREAM, WITH_USAGE], ids=["without usage", "with usage"])
async def test_a_stream_is_given_again_byte_for_byte(upstream: FakeUpstream, fields: dict[str, Any]) -> None:
    upstream.plays(streams())
    async with caching(upstream) as router:
        first, second = await router.chat(**fields), await router.chat(**fields)
        assert (cache_word(first), cache_word(second)) == ("miss", "hit")
        assert second.body == first.body
        assert second.events[-1] == b"[DONE]"
        assert (b'"total_tokens"' in second.body) == (fields is WITH_USAGE)
        assert second.headers["Content-Type"] == first.headers["Content-Type"]
        assert len(upstream.received) == 1
        assert (await router.record(second))["usage"] == (await router.record(first))["usage"]


async def test_streams_with_and_without_usage_and_whole_answers_are_kept_apart(upstream: FakeUpstream) -> None:
    upstream.plays(streams(), streams(), answers())
    async with caching(upstream) as router:
        for fields in (STREAM, WITH_USAGE, {}):
            assert cache_word(await router.chat(**fields)) == "miss"
        for fields in (STREAM, WITH_USAGE, {}):
            assert cache_word(await router.chat(**fields)) == "hit"


async def test_the_official_client_reads_a_stream_from_the_cache(upstream: FakeUpstream) -> None:
    upstream.plays(streams())
    async with caching(upstream) as router, openai.AsyncOpenAI(api_key="k", base_url=f"{router.url}/v1") as client:
        said = []
        for _ in range(2):
            stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True)  # type: ignore[arg-type]
            said.append("".join([chunk.choices[0].delta.content or "" async for chunk in stream]))
        assert said == ["hello", "hello"]
        assert len(upstream.received) == 1


NOT_KEPT: list[tuple[str, Any, dict[str, Any]]] = [
    ("filtered", answers(choices=[{"index": 0, "message": {}, "finish_reason": "content_filter"}]), {}),
    ("a filtered stream", streams(word("x"), event({}, "content_filter"), b"data: [DONE]\n\n"), STREAM),
    ("a stream that breaks off", streams(word("x")), STREAM),
    ("an error", fails(500), {}),
    ("a refusal", fails(400, "bad"), {}),
    ("too large", answers("x" * 3000), {}),
    ("a stream that is too large", streams(word("x" * 3000), FINISH, b"data: [DONE]\n\n"), STREAM),
]


@pytest.mark.parametrize(("script", "fields"), [pytest.param(*case, id=name) for name, *case in NOT_KEPT])
async def test_only_whole_answers_of_a_bearable_size_are_kept(
    upstream: FakeUpstream, script: Any, fields: dict[str, Any]
) -> None:
    upstream.plays(script, streams() if fields else answers())
    async with caching(upstream, cache_max_entry_bytes=2000) as router:
        await router.chat(**fields)
        again = await router.chat(**fields)
        assert cache_word(again) == "miss"
        assert len(upstream.received) == 2
        assert cache_word(await router.chat(**fields)) == "hit"


async def test_a_policy_without_a_cache_and_a_model_called_by_name_say_nothing_of_one(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        for model in ("auto", "small"):
            assert [cache_word(await router.chat(model)) for _ in range(2)] == [None, None]
        assert len(upstream.received) == 4


async def test_fifty_equal_requests_at_once_are_one_call(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, http(200, json.dumps(completion()).encode())]
    async with caching(upstream) as router:
        asking = [asyncio.create_task(router.chat()) for _ in range(50)]
        await eventually(lambda: followers(router) == 49, "49 wait")
        gate.set()
        replies = await asyncio.gather(*asking)
        assert len(upstream.received) == 1
        assert {reply.body for reply in replies} == {json.dumps(completion()).encode()}
        assert sorted(map(str, map(cache_word, replies))) == ["hit"] * 49 + ["miss"]
        assert await router.metric("fairlead_cache_requests_total", result="shared") == 49
        assert await router.metric("fairlead_tokens_total", model="team/acme/small", direction="input") == 10
        await router.idle()


async def test_when_the_first_hangs_up_another_takes_its_place(upstream: FakeUpstream) -> None:
    upstream.plays([HANG])
    async with caching(upstream) as router:
        first = asyncio.create_task(router.chat())
        hung = await upstream.arrived()
        others = [asyncio.create_task(router.chat()) for _ in range(5)]
        await eventually(lambda: followers(router) == 5, "5 wait")
        first.cancel()
        await hung.client_gone()
        replies = await asyncio.gather(*others)
        assert [reply.status for reply in replies] == [200] * 5
        assert len(upstream.received) == 2
        assert sorted(map(str, map(cache_word, replies))) == ["hit"] * 4 + ["miss"]


async def test_when_the_first_fails_another_takes_its_place(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays([gate, *fails(500)])
    async with caching(upstream) as router:
        first = asyncio.create_task(router.chat())
        await upstream.arrived()
        others = [asyncio.create_task(router.chat()) for _ in range(5)]
        await eventually(lambda: followers(router) == 5, "5 wait")
        gate.set()
        assert (await first).status == 502
        assert [reply.status for reply in await asyncio.gather(*others)] == [200] * 5
        assert len(upstream.received) == 2


async def test_a_follower_that_has_waited_long_enough_goes_itself(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays([gate, *answers()])
    async with caching(upstream, cache_wait_seconds=0.05) as router:
        first = asyncio.create_task(router.chat())
        await upstream.arrived()
        assert cache_word(await router.chat()) == "miss"
        gate.set()
        assert (await first).status == 200


async def test_a_stream_reaches_its_client_while_it_is_taken_down(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.plays(gated_stream(gate))
    async with caching(upstream) as router:
        body = json.dumps({"model": "auto", "messages": HELLO, "stream": True}).encode()
        async with router.session.post(f"{router.url}/v1/chat/completions", data=body) as response:
            seen = b""
            while b"hel" not in seen:
                seen += await response.content.readany()
            gate.set()
            seen += await response.content.read()
        assert (await router.chat(stream=True)).body == seen


async def test_a_model_forbidden_since_is_not_answered_for(upstream: FakeUpstream, other: FakeUpstream) -> None:
    both = [provider(upstream.url), provider(other.url, "beta")]
    cached = policy("acme/small", "beta/small", cache=Cache(600))
    async with serving(*both, cached, **PATIENT) as router:
        await router.chat()
        assert cache_word(await router.chat()) == "hit"
        await router.load(*both, cached, workspace("default", allowed=["beta/small"]))
        after = await router.chat()
        assert cache_word(after) == "miss"
        assert after.headers["x-fairlead-model"] == "team/beta/small"
        assert ref("beta/small").key == "team/beta/small"


async def test_workspaces_never_share(upstream: FakeUpstream) -> None:
    async with caching(upstream) as router:
        for name in ("one", "two"):
            assert cache_word(await router.chat(headers={"x-fairlead-workspace": name})) == "miss"
        for name in ("one", "two"):
            assert cache_word(await router.chat(headers={"x-fairlead-workspace": name})) == "hit"


async def test_an_answer_is_served_while_the_provider_is_away(upstream: FakeUpstream) -> None:
    async with caching(upstream) as router:
        await router.chat()
        upstream.default = fails(500)
        assert (await router.chat()).status == 200
        assert (await router.chat(seed=1)).status == 502


async def test_an_explanation_says_whether_a_cache_would_be_asked(upstream: FakeUpstream) -> None:
    question = json.dumps({"model": "auto", "messages": HELLO}).encode()
    async with caching(upstream) as router:
        reply = await router.request("POST", "/api/routing/test", data=question)
        assert reply.json["cache"] == {"asked": True, "ttlSeconds": 600}
        reply = await router.request("POST", "/api/routing/test", data=question, headers={"Cache-Control": "no-cache"})
        assert reply.json["cache"] == {"asked": False, "ttlSeconds": 600, "why": "the request says no-cache"}
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.request("POST", "/api/routing/test", data=question)
        assert "cache" not in reply.json


async def test_two_routers_over_one_redis_make_one_call_and_nothing_readable_is_in_it(
    upstream: FakeUpstream, redis_server: RedisServer
) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, http(200, json.dumps(completion("canary-answer")).encode())]
    settings: dict[str, Any] = {"redis_url": redis_server.url, "cache_key": "s" * 32}
    canary = [{"role": "user", "content": "canary-prompt"}]
    headers = {"x-fairlead-workspace": "canary-workspace"}
    async with caching(upstream, **settings) as one, caching(upstream, **settings) as two:
        first = asyncio.create_task(one.chat(messages=canary, headers=headers))
        await upstream.arrived()
        second = asyncio.create_task(two.chat(messages=canary, headers=headers))
        await eventually(lambda: two.in_flight == 1, "the second router has the request")
        gate.set()
        replies = [await first, await second]
        assert [reply.status for reply in replies] == [200, 200]
        assert replies[0].body == replies[1].body
        assert len(upstream.received) == 1
        dump = await dumped(redis_server, b"cache/")
        assert b"canary-prompt" not in dump
        assert b"canary-answer" not in dump
        assert b"hello" not in dump
        assert cache_word(await two.chat(messages=canary, headers=headers)) == "hit"
    async with caching(upstream, **(settings | {"cache_key": "rotated-" * 4})) as rotated:
        assert cache_word(await rotated.chat(messages=canary, headers=headers)) == "miss"


async def dumped(server: RedisServer, prefix: bytes) -> bytes:
    """Every key with its value as Redis would write it to disk; one of them starts with (or contains) ``prefix``."""
    from redis.asyncio import Redis

    client = Redis.from_url(server.url, protocol=2)
    try:
        keys = await client.keys("*")
        assert any(prefix in key for key in keys), keys
        return b"\n".join([key + b"=" + (await client.dump(key) or b"") for key in keys])
    finally:
        await client.aclose()


async def test_a_shared_store_without_a_key_is_said_to_be_no_place_for_answers(
    upstream: FakeUpstream, redis_server: RedisServer
) -> None:
    async with caching(upstream, redis_url=redis_server.url, draw_key=None) as router:
        assert [cache_word(await router.chat(headers={"idempotency-key": "k"})) for _ in range(2)] == [None, None]
        health = await router.request("GET", "/health/detailed")
        assert health.json["degraded"]["cache"].startswith("CacheKeyMissing: ")


async def test_without_its_redis_requests_are_served_all_the_same(
    upstream: FakeUpstream, own_redis: RedisServer
) -> None:
    async with caching(upstream, redis_url=own_redis.url, cache_key="s" * 32) as router:
        await router.chat()
        assert cache_word(await router.chat()) == "hit"
        await own_redis.stop()
        assert [(await router.chat(seed=seed)).status for seed in (1, 2, 3)] == [200] * 3


async def test_a_client_that_leaves_with_its_whole_stream_leaves_it_to_the_next(upstream: FakeUpstream) -> None:
    upstream.plays(streams())
    async with caching(upstream) as router:
        body = json.dumps({"model": "auto", "messages": HELLO, "stream": True}).encode()
        async with aiohttp.ClientSession() as session:
            response = await session.post(f"{router.url}/v1/chat/completions", data=body)
            seen = b""
            while not seen.endswith(b"data: [DONE]\n\n"):
                seen += await response.content.readany()
            response.close()
        await eventually(lambda: router.in_flight == 0, "the first is over")
        again = await router.chat(stream=True)
        assert (cache_word(again), again.body) == ("hit", seen)


async def test_a_large_question_is_known_again_too(upstream: FakeUpstream) -> None:
    async with caching(upstream) as router:
        large = [{"role": "user", "content": "x" * 300_000}]
        assert [cache_word(await router.chat(messages=large)) for _ in range(2)] == ["miss", "hit"]
