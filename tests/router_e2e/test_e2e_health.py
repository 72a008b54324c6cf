"""Health in service: endpoints that fail their checks are left out, strategies look at cost and latency, and all is shown."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from fairlead_contract.fragments import Constraints, HealthCheck, Price
from tests.router_e2e.fake_upstream import HANG, FakeUpstream, Received, Script
from tests.router_e2e.harness import Harness, attempts, eventually, serving
from tests.router_e2e.scripts import answers, fails, says, streams
from tests.router_e2e.world import credentials, endpoint, fallback, model, policy, provider, secret

CHECK = HealthCheck(period_seconds=1, timeout_seconds=1, failure_threshold=1)


def answers_chats(health: Script, chat: Script) -> Any:
    """A provider whose health is one thing and whose answers are another."""
    return lambda received: health if received.path.endswith("/models") else chat


def checks(upstream: FakeUpstream) -> list[Received]:
    return [each for each in upstream.received if each.path == "/v1/models"]


def chats(upstream: FakeUpstream) -> int:
    return sum(each.path == "/v1/chat/completions" for each in upstream.received)


async def conditions(router: Harness) -> dict[str, dict[str, Any]]:
    reply = await router.request("GET", "/-/health", admin=True)
    assert reply.json["retriesWithheld"] == 0
    return {f"{each['provider']}@{each['name']}": each for each in reply.json["endpoints"]}


async def state(router: Harness, name: str) -> str:
    return str((await conditions(router))[name]["state"])


async def test_an_endpoint_that_fails_its_checks_gets_no_request_until_it_passes_one(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = answers_chats(fails(503), answers())
    places = [endpoint(upstream.url, "a", weight=1000, health_check=CHECK), endpoint(other.url, "b", weight=1)]
    async with serving(provider(places), policy("acme/small")) as router:

        async def a_is(wanted: str) -> bool:
            return await state(router, "team/acme@a") == wanted

        await eventually(lambda: a_is("Unhealthy"), "a is unhealthy")
        for _ in range(5):
            reply = await router.chat()
            assert (await router.record(reply))["attempts"][0]["endpoint"] == "b"
        assert chats(upstream) == 0
        detailed = (await router.request("GET", "/health/detailed")).json
        assert detailed["checks"]["endpoints"] == {"team/acme@a": "Unhealthy"}
        assert (await conditions(router))["team/acme@a"]["check"]["error"] == "status 503"

        upstream.default = answers_chats(says(200, b'{"data":[]}'), answers())
        await eventually(lambda: a_is("Healthy"), "a is healthy")
        used = Counter[str]()
        for _ in range(20):
            used[(await router.record(await router.chat()))["attempts"][0]["endpoint"]] += 1
        assert used["a"] > used["b"]


async def test_a_model_all_of_whose_endpoints_fail_their_checks_is_removed_and_its_fallback_serves(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = answers_chats([HANG], answers())
    one = provider([endpoint(upstream.url, health_check=CHECK)])
    chosen = policy("acme/small", fallbacks=(fallback("zenith/small", "Error"),))
    async with serving(one, provider(other.url, "zenith"), chosen) as router:
        await eventually(lambda: not router.running.context.pipeline.health.healthy("team/acme", "main"), "unhealthy")
        record = await router.record(await router.chat())
        assert attempts(record) == [("zenith/small", "Succeeded", None)]
        assert record["candidates"][0]["removed"]["by"] == "Health"
        assert {"key": "health:team/acme@main", "value": "Unhealthy"} in record["state"]

        await router.load(one, policy("acme/small"))
        record = await router.record(await router.chat())
        assert attempts(record) == [("acme/small", "Succeeded", None)]
        assert record["panic"] is True


async def test_checks_carry_the_credential_and_end_with_the_endpoint(upstream: FakeUpstream) -> None:
    one = provider([endpoint(upstream.url, health_check=CHECK)], credential=secret())
    async with serving() as router:
        await router.load(one, credentials=credentials("sk-secret"))
        await eventually(lambda: bool(checks(upstream)), "a check")
        assert checks(upstream)[0].headers["authorization"] == "Bearer sk-secret"
        await router.load(provider(upstream.url))
        await eventually(
            lambda: not any((task.get_name() or "").startswith("health (") for task in asyncio.all_tasks()),
            "no check runs",
        )


async def test_azure_is_asked_in_its_own_way(upstream: FakeUpstream) -> None:
    at = endpoint(upstream.url.removesuffix("/v1"), health_check=CHECK)
    async with serving(provider([at], type="AzureOpenAI")):
        received = await upstream.arrived()
        assert received.path == f"/openai{CHECK.path}?api-version=2024-10-21"


async def test_a_check_never_goes_where_requests_may_not(upstream: FakeUpstream) -> None:
    one = provider([endpoint(upstream.url, health_check=CHECK)])
    async with serving(one, allow_networks=()) as router:
        await eventually(lambda: not router.running.context.pipeline.health.healthy("team/acme", "main"), "unhealthy")
        assert (await conditions(router))["team/acme@main"]["check"]["error"] == "address_refused"
        assert upstream.received == []


async def test_endpoints_show_how_they_fare(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.plays(fails(500))
    one, two = provider(upstream.url), provider(other.url, "zenith")
    async with serving(one, two, policy("acme/small")) as router:
        assert await state(router, "team/acme@main") == "Unknown"
        await router.chat()
        for _ in range(3):
            await router.chat()
        found = await conditions(router)
        acme = found["team/acme@main"]
        assert (acme["state"], acme["breaker"], acme["errorPercent"]) == ("Degraded", "Closed", 25.0)
        assert acme["scorePercent"] == 75
        assert acme["latencyP50Milliseconds"] >= 0
        assert found["team/zenith@main"]["state"] == "Unknown"


async def test_the_cheapest_model_is_tried_first_and_the_record_says_what_was_expected(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    cheap = model(prices=(Price(0, input=10, output=10),))
    one, two = provider(upstream.url), provider(other.url, "zenith", models=(cheap,))
    async with serving(one, two, policy("acme/small", "zenith/small", strategy="LeastCost")) as router:
        reply = await router.chat()
        assert reply.json["choices"][0]["message"]["content"] == "from the other"
        record = await router.record(reply)
        expected = [each["predicted"]["costMicroUsd"] for each in record["candidates"]]
        assert expected[0] > expected[1]
        words = await router.request(
            "GET", f"/-/decisions/{reply.decision}", admin=True, headers={"Accept": "text/plain"}
        )
        assert b"expected to cost" in words.body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_faster_model_is_tried_first_once_both_are_known(
    upstream: FakeUpstream, other: FakeUpstream, stream: bool
) -> None:
    gate = asyncio.Event()
    script = streams() if stream else answers()
    upstream.default, other.default = [gate, *script], script
    one, two = provider(upstream.url, models=("slow",)), provider(other.url, "zenith", models=("fast",))
    chosen = policy("acme/slow", "zenith/fast", strategy="LowestLatency")
    async with serving(one, two, chosen) as router:
        slow = asyncio.create_task(router.chat("slow", stream=stream))
        await upstream.arrived()
        assert (await router.chat("fast", stream=stream)).status == 200
        gate.set()
        assert (await slow).status == 200
        record = await router.record(await router.chat(stream=stream))
        assert attempts(record) == [("zenith/fast", "Succeeded", None)]
        assert any(read["key"].startswith("statistics:") for read in record["state"])


async def test_a_model_that_is_too_dear_for_a_workspace_is_not_called(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    dear = model(prices=(Price(0, input=1, output=90_000_000),))
    one, two = provider(upstream.url, models=(dear,)), provider(other.url, "zenith")
    limits = Constraints(max_price=3_000_000)
    async with serving(one, two, policy("acme/small", "zenith/small", constraints=limits)) as router:
        record = await router.record(await router.chat())
        assert attempts(record) == [("zenith/small", "Succeeded", None)]
        assert record["candidates"][0]["removed"]["by"] == "Cost"
        assert upstream.received == []
        question = json.dumps({"prompt": "hi"}).encode()
        explained = (await router.request("POST", "/api/routing/test", data=question)).json
        assert "maxCostPerTokenUSD" in explained["candidates"][0]["removed"]["message"]


async def test_endpoints_are_drawn_by_weight_and_the_draw_is_recorded(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    places = [endpoint(upstream.url, "a", weight=100), endpoint(other.url, "b", weight=100)]
    async with serving(provider(places), policy("acme/small")) as router:
        used = Counter[str]()
        for _ in range(40):
            record = await router.record(await router.chat())
            assert [draw["purpose"] for draw in record["draws"]] == ["endpoint:1"]
            assert record["state"][-1]["value"] == "a=100.0 b=100.0"
            used[record["attempts"][0]["endpoint"]] += 1
        assert used["a"] >= 5
        assert used["b"] >= 5


async def test_others_get_their_turns_while_a_router_tells_of_many_endpoints(upstream: FakeUpstream) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with serving(*(provider(upstream.url, name=f"p{number}") for number in range(100))) as router:
        others = asyncio.create_task(take_turns())
        told = [each.provider async for each in router.running.context.pipeline.endpoint_conditions()]
        others.cancel()
        assert len(await conditions(router)) == 100
    assert told == sorted(f"team/p{number}" for number in range(100))
    assert turns >= 5
