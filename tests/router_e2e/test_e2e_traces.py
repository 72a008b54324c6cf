"""What a request leaves behind: headers, the decision record and its explanation, metrics, the running configuration."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_contract.fragments import CircuitBreaker
from fairlead_router.record.metric_table import Metric
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import attempts, serving
from tests.router_e2e.scripts import fails, streams
from tests.router_e2e.world import fallback, policy, provider, target

SMALL = "team/acme/small"


@pytest.mark.parametrize("stream", [False, True])
async def test_every_answer_says_who_answered_and_why(upstream: FakeUpstream, stream: bool) -> None:
    upstream.plays(fails(500), streams() if stream else upstream.default)
    fragments = provider(upstream.url), policy("acme/small", fallbacks=(fallback("acme/small", "Error"),))
    async with serving(*fragments) as router:
        reply = await router.chat(stream=stream)
        assert reply.status == 200
        assert reply.headers["x-request-id"] == reply.decision
        assert reply.headers["x-fairlead-policy"] == "team/route"
        assert reply.headers["x-fairlead-model"] == SMALL
        assert reply.headers["x-fairlead-attempts"] == "2"
        assert float(reply.headers["x-fairlead-overhead-ms"]) >= 0


async def test_an_error_says_what_it_can(upstream: FakeUpstream) -> None:
    upstream.plays(fails(500))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        failed, unknown = await router.chat(), await router.chat("none")
        assert failed.headers["x-fairlead-attempts"] == "1"
        assert failed.headers["x-fairlead-policy"] == "team/route"
        assert "x-fairlead-policy" not in unknown.headers
        assert (await router.record(unknown))["error"] == "model_not_found"


async def test_the_record_holds_attempts_usage_cost_draws_and_what_was_set_aside(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = fails(500)
    one, two = provider(upstream.url), provider(other.url, "zenith")
    chosen = policy(target("acme/small", 99, 1), target("zenith/small", 1, 2), strategy="Weighted")
    async with serving(one, two, chosen) as router:
        reply = await router.chat(max_tokens=100)
        while attempts(await router.record(reply))[0][0] != "acme/small":
            reply = await router.chat(max_tokens=100)
        record = await router.record(reply)
    first, second = record["attempts"]
    assert (first["outcome"], first["status"], first["cause"], first["error"]) == (
        "Failed",
        500,
        "Error",
        "server_error",
    )
    assert (second["outcome"], second["status"], second["usage"]) == (
        "Succeeded",
        200,
        {"inputTokens": 10, "outputTokens": 5},
    )
    assert second["costMicroUsd"] == record["costMicroUsd"] == 10 * 1 + 5 * 2
    assert second["reservedMicroUsd"] >= 100 * 2
    assert record["budgets"][0]["reservedMicroUsd"] == first["reservedMicroUsd"] + second["reservedMicroUsd"]
    assert [draw["purpose"] for draw in record["draws"]] == ["strategy"]
    assert 0 <= record["draws"][0]["value"] < 0.99
    assert record["propensity"] == pytest.approx(0.99)
    assert record["plan"] == [SMALL, "team/zenith/small"]
    assert record["chosen"] == "team/zenith/small"
    assert record["facts"]["workspace"] == "default"
    assert record["committedMicroseconds"] <= record["durationMicroseconds"]


async def test_a_decision_is_explained_in_words(upstream: FakeUpstream) -> None:
    upstream.plays(fails(429, retry_after="3"))
    never = policy("acme/small", name="never", priority=5, models=("other",))
    async with serving(provider(upstream.url), policy("acme/small"), never) as router:
        reply = await router.chat()
        await router.record(reply)
        path = f"/-/decisions/{reply.decision}"
        explained = (await router.request("GET", path, headers={"Accept": "text/plain"}, admin=True)).body.decode()
    for words in ("team/never", "match.models", "team/route", SMALL, "RateLimited", "asked to wait 3 s"):
        assert words in explained


async def test_a_decision_nobody_knows_is_404_and_the_newest_are_listed(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), decision_buffer=2) as router:
        replies = [await router.chat() for _ in range(3)]
        await router.record(replies[-1])
        listed = (await router.request("GET", "/-/decisions", admin=True)).json["decisions"]
        assert listed == [replies[2].decision, replies[1].decision]
        for gone in (replies[0].decision, "none"):
            assert (await router.request("GET", f"/-/decisions/{gone}", admin=True)).status == 404


async def test_metrics_count_requests_attempts_tokens_and_money(upstream: FakeUpstream) -> None:
    upstream.plays(fails(500), upstream.default, streams(), fails(400, "bad"))
    fragments = provider(upstream.url), policy("acme/small", fallbacks=(fallback("acme/small", "Error"),))
    async with serving(*fragments) as router:
        await router.chat()
        await router.chat(stream=True)
        await router.chat()
        await router.chat("none")
        await router.post(b"no JSON")
        await router.idle()
        assert await router.metric("model_router_requests_total", model=SMALL, status="200") == 2
        assert await router.metric("model_router_requests_total", model=SMALL, status="400") == 1
        assert await router.metric("model_router_requests_total", model="none", status="404") == 1
        assert await router.metric("model_router_requests_total", model="none", status="400") == 1
        assert await router.metric("model_router_routing_rule_matches_total", policy="team/route") == 3
        assert await router.metric("fairlead_attempts_total", model=SMALL, outcome="Succeeded") == 2
        assert await router.metric("fairlead_attempts_total", model=SMALL, outcome="Failed") == 1
        assert await router.metric("fairlead_attempts_total", model=SMALL, outcome="Refused") == 1
        assert await router.metric("fairlead_tokens_total", model=SMALL, direction="input") == 20
        assert await router.metric("fairlead_tokens_total", model=SMALL, direction="output") == 10
        assert await router.metric("fairlead_cost_usd_total", model=SMALL) == pytest.approx(40e-6)
        assert await router.metric("model_router_request_duration_seconds_count", model=SMALL) == 3
        assert await router.metric("fairlead_requests_in_flight") == 0
        assert await router.metric("fairlead_config_revision") == 1


async def test_the_running_configuration_is_shown(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        shown = (await router.request("GET", "/-/config", admin=True)).json
        assert (shown["epoch"], shown["revision"], shown["source"], shown["lastRejected"]) == (1, 1, "test", None)
        assert [each["name"] for each in shown["policies"]] == ["route"]
        assert [each["name"] for each in shown["providers"]] == ["acme"]


async def test_the_admin_paths_are_not_on_the_client_port(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        for path in ("/metrics", "/-/config", "/-/decisions"):
            reply = await router.request("GET", path)
            assert (reply.status, reply.error_code) == (404, "unknown_url")


async def test_a_request_is_explained_without_calling_anybody(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        chat = b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}'
        for question in (
            chat,
            b'{"request": ' + chat + b"}",
            b'{"prompt": "hi"}',
            b'{"request": null, "prompt": "hi"}',
        ):
            reply = await router.request("POST", "/api/routing/test", data=question)
            assert reply.status == 200, reply.body
            assert reply.json["plan"] == [SMALL]
        assert upstream.received == []


async def test_every_metric_that_is_exposed_is_declared_and_documented(upstream: FakeUpstream) -> None:
    declared = {metric.value.name for metric in Metric}
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        await router.chat()
        await router.chat(stream=True)
        shown = (await router.request("GET", "/metrics", admin=True)).body.decode()
    exposed = {family.name for family in text_string_to_metric_families(shown)}
    assert exposed <= declared
    assert "model_router_model_health_score" in exposed


async def test_the_health_score_of_an_endpoint_falls_when_its_breaker_opens(upstream: FakeUpstream) -> None:
    upstream.default = fails(500)
    touchy = CircuitBreaker(consecutive_failures=2, open_seconds=60)
    async with serving(provider(upstream.url, circuit_breaker=touchy), policy("acme/small")) as router:
        labels = {"model": SMALL, "endpoint": "main"}
        assert await router.metric("model_router_model_health_score", **labels) == 1
        await router.chat()
        await router.chat()
        assert await router.metric("model_router_model_health_score", **labels) == 0
