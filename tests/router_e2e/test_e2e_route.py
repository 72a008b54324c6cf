"""``/route``: a recommendation is what a call would do, and a call through it is a call like any other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from fairlead_contract.fragments import Canary, Constraints
from fairlead_crds.kinds.common import Capability as Declared
from fairlead_router.dialect.route_request import Capability
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, Reply, attempts, eventually, serving
from tests.router_e2e.raw_http import raw_connection
from tests.router_e2e.scripts import answers, completion, fails, says
from tests.router_e2e.test_e2e_cache import PATIENT
from tests.router_e2e.world import fallback, model, policy, provider, ref, target, workspace

PROMPT = "Write a Python function to sort a list"


async def route(router: Harness, mode: str | None = None, **fields: Any) -> Reply:
    body = {"prompt": PROMPT} | fields | ({} if mode is None else {"mode": mode})
    return await router.request("POST", "/route", data=json.dumps(body).encode(), headers={"Idempotency-Key": "k"})


async def test_a_recommendation_has_the_document_s_shape_and_calls_nobody(upstream: FakeUpstream) -> None:
    shown = model("small", display_name="Small One")
    async with serving(provider(upstream.url, models=[shown, "large"]), policy("acme/small", "acme/large")) as router:
        for mode in (None, "recommend"):
            said = (await route(router, mode)).json
            assert said["recommended_model"] == {"id": "small", "provider": "acme", "display_name": "Small One"}
            about = said["classification"]
            assert (about["category"], about["difficulty"] in {"easy", "medium", "hard"}) == ("coding", True)
            assert about["ms"] >= 0
            assert [(each["rank"], each["id"], each["probability"], each["removed"]) for each in said["ranking"]] == [
                (1, "small", 1.0, None),
                (2, "large", 0.0, None),
            ]
            assert said["policy"] == "team/route"
        assert upstream.received == []
        assert router.running.context.recorder.latest(1) == []


async def test_the_ranking_says_who_is_out_who_stands_by_and_with_what_probability(upstream: FakeUpstream) -> None:
    models = [model("small"), model("off", state="Inactive"), model("large"), model("spare"), model("new")]
    rules = policy(
        target("acme/small", weight=75),
        target("acme/off", weight=100),
        target("acme/large", weight=25),
        strategy="Weighted",
        canary=Canary(model=ref("acme/new"), weight_percent=20, unit="Request"),
        fallbacks=(fallback("acme/spare", "Error"), fallback("acme/small", "Timeout")),
    )
    async with serving(provider(upstream.url, models=models), rules) as router:
        ranked = {each["id"]: each for each in (await route(router)).json["ranking"]}
        assert {name: each["probability"] for name, each in ranked.items()} == {
            "small": 0.6,
            "large": 0.2,
            "new": 0.2,
            "spare": 0.0,
            "off": 0.0,
        }
        assert ranked["small"]["roles"] == ["target", "fallback"]
        assert (ranked["spare"]["rank"], ranked["spare"]["removed"]) == (None, None)
        assert ranked["off"]["removed"]["by"] == "ModelState"
        assert {ranked["small"]["rank"], ranked["large"]["rank"]} <= {1, 2, 3}


CONSTRAINED: list[tuple[str, dict[str, Any], str | None]] = [
    # The first model costs up to 24 micro-dollars for 10 tokens, the second a thousandth of it.
    ("nothing", {}, "acme/dear"),
    ("enough money", {"max_tokens": 10, "max_cost_usd": 1}, "acme/dear"),
    ("little money", {"max_tokens": 10, "max_cost_usd": 0.001}, "acme/cheap"),
    ("a capability", {"required_capabilities": ["Vision"]}, "acme/cheap"),
    ("none left", {"required_capabilities": ["Reasoning"]}, None),
]


@pytest.mark.parametrize(("wanted", "chosen"), [c[1:] for c in CONSTRAINED], ids=[c[0] for c in CONSTRAINED])
@pytest.mark.parametrize("mode", ["recommend", "generate"])
async def test_constraints_are_hard_in_both_modes(
    upstream: FakeUpstream, mode: str, wanted: dict[str, Any], chosen: str | None
) -> None:
    price = model().prices[0]
    dear = model("dear", prices=(type(price)(effective_at=0, input=10**9, output=10**9),), capabilities=("Tools",))
    cheap = model("cheap", capabilities=("Vision",))
    async with serving(provider(upstream.url, models=[dear, cheap]), policy("acme/dear", "acme/cheap")) as router:
        reply = await route(router, mode, constraints=wanted)
        if chosen is None:
            assert (reply.status, reply.error_code) == (503, "no_candidate")
            assert upstream.received == []
            return
        assert f"acme/{reply.json['recommended_model']['id']}" == chosen
        if mode == "generate":
            assert reply.headers["x-fairlead-model"] == f"team/{chosen}"
            assert json.loads(upstream.received[-1].body).get("max_tokens") == wanted.get("max_tokens")


async def test_generating_is_a_call_with_a_record_and_its_answer_in_the_document_s_words(
    upstream: FakeUpstream,
) -> None:
    async with serving(provider(upstream.url, models=["small"]), policy("acme/small")) as router:
        reply = await route(router, "generate", constraints={"max_tokens": 500, "max_latency_ms": 60_000})
        assert reply.status == 200
        said = reply.json
        assert (said["response"], said["model"]["id"]) == ("hello", "small")
        assert (said["recommended_model"], said["decision"]) == (said["model"], reply.decision)
        assert (said["classification"]["category"], said["finish_reason"]) == ("coding", "stop")
        record = await router.record(reply)
        assert attempts(record) == [("acme/small", "Succeeded", None)]
        assert record["facts"]["maxLatencyMilliseconds"] == 60_000
        assert said["cost_usd"] == record["costMicroUsd"] / 1e6 > 0
        assert said["usage"]["completion_tokens"] == record["usage"]["outputTokens"]
        assert PROMPT not in json.dumps(record)
        sent = json.loads(upstream.received[-1].body)
        assert sent["messages"] == [{"role": "user", "content": PROMPT}]
        await router.idle()
        assert router.body_bytes == 0


async def test_messages_may_stand_in_place_of_the_prompt(upstream: FakeUpstream) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
    ]
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        body = json.dumps({"messages": messages, "mode": "generate"}).encode()
        said = (await router.request("POST", "/route", data=body)).json
        assert said["classification"]["category"] == "coding"
        assert json.loads(upstream.received[-1].body)["messages"] == messages


async def test_a_failing_model_is_followed_by_the_next_and_both_are_named(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = fails(500)
    two = [provider(upstream.url), provider(other.url, "zenith", models=["large"])]
    async with serving(*two, policy("acme/small", "zenith/large")) as router:
        said = (await route(router, "generate")).json
        assert (said["recommended_model"]["id"], said["model"]["id"]) == ("small", "large")
        assert said["response"] == "from the other"


async def test_an_answer_of_any_length_is_told_in_the_same_words(upstream: FakeUpstream) -> None:
    upstream.default = answers("long " * 50_000)
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await route(router, "generate")).json["response"] == "long " * 50_000


async def test_a_message_that_is_none_is_no_text(upstream: FakeUpstream) -> None:
    choice = {"index": 0, "message": None, "finish_reason": "stop"}
    upstream.default = says(200, json.dumps(completion(choices=[choice])).encode())
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await route(router, "generate")
        assert (reply.status, reply.json["response"], reply.json["finish_reason"]) == (200, None, "stop")


async def test_a_repeat_is_told_although_nobody_could_be_called_now(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), **PATIENT) as router:
        first = (await route(router, "generate")).json
        await router.load(provider(upstream.url, models=[model("small", state="Inactive")]), policy("acme/small"))
        again = await route(router, "generate")
        assert (again.status, again.json["response"]) == (200, first["response"])
        assert again.json["recommended_model"] == again.json["model"] == first["model"]


async def test_a_repeat_is_told_although_its_model_is_gone(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), **PATIENT) as router:
        first = await route(router, "generate")
        await router.load(provider(upstream.url, models=["large"]), policy("acme/large"))
        again = await route(router, "generate")
        assert (again.status, again.headers["x-fairlead-idempotent-replay"]) == (200, "true")
        assert again.json["response"] == first.json["response"]
        assert again.json["model"] == {"id": "team/acme/small", "provider": "acme", "display_name": "small"}
        assert again.json["recommended_model"]["id"] == "large"


async def test_a_body_for_which_there_is_no_place_any_more_is_given_back(upstream: FakeUpstream) -> None:
    body = json.dumps({"prompt": PROMPT, "mode": "generate"}).encode()
    gate = asyncio.Event()
    upstream.plays([gate, *answers()])
    limits = {"max_concurrent_requests": 1, "max_queued_requests": 0}
    async with serving(provider(upstream.url), policy("acme/small"), **limits) as router, raw_connection(router) as raw:
        await raw.send(b"POST /route HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
        await eventually(lambda: router.body_bytes == 10, "its body is being read")
        first = asyncio.create_task(router.chat())
        await upstream.arrived()
        held = router.body_bytes - 10
        await raw.send(body[10:])
        assert await raw.error() == (503, "router_overloaded")
        await eventually(lambda: router.body_bytes == held, "its body to be given back")
        gate.set()
        assert (await first).status == 200
        await router.idle()
        assert router.body_bytes == 0


def test_a_request_may_ask_for_whatever_a_model_may_declare() -> None:
    assert set(get_args(Capability)) == {each.value for each in Declared}


NO_QUESTION: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown mode", {"mode": "guess"}, "mode"),
    ("an unknown constraint", {"constraints": {"max_tokns": 5}}, "max_tokns"),
    ("a constraint of another type", {"constraints": {"max_tokens": "many"}}, "constraints.max_tokens"),
    ("an unknown capability", {"constraints": {"required_capabilities": ["Levitation"]}}, "required_capabilities[0]"),
    ("no tokens", {"constraints": {"max_tokens": 0}}, "constraints.max_tokens"),
    ("a stream", {"stream": True, "mode": "generate"}, "/v1/chat/completions"),
    ("an unknown field", {"modle": "auto"}, "modle"),
    ("both", {"messages": [{"role": "user", "content": "hi"}]}, "messages"),
    ("no prompt", {"prompt": None}, "prompt"),
    ("no messages", {"prompt": None, "messages": []}, "messages"),
    ("no message", {"prompt": None, "messages": "hi"}, "messages"),
]


@pytest.mark.parametrize(("fields", "named"), [c[1:] for c in NO_QUESTION], ids=[c[0] for c in NO_QUESTION])
async def test_what_cannot_be_obeyed_is_refused_by_name(
    upstream: FakeUpstream, fields: dict[str, Any], named: str
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await route(router, **fields)
        assert (reply.status, reply.error_code) == (400, "invalid_request")
        assert named in reply.json["error"]["message"]
        assert (router.body_bytes, router.in_flight, upstream.received) == (0, 0, [])


@pytest.mark.parametrize("mode", ["recommend", "generate"])
async def test_without_a_policy_or_a_model_the_refusal_is_that_of_a_call(upstream: FakeUpstream, mode: str) -> None:
    async with serving(provider(upstream.url)) as router:
        assert (await route(router, mode)).error_code == "no_policy"
    none = workspace("default", allowed=[])
    async with serving(provider(upstream.url), policy("acme/small"), none) as router:
        reply = await route(router, mode)
        assert (reply.status, reply.error_code) == (503, "no_candidate")
    async with serving() as router:
        assert (await route(router, mode)).error_code == "not_ready"
    async with serving(provider(upstream.url), policy("acme/small"), max_body_bytes=10) as router:
        assert (await route(router, mode)).status == 413


async def test_a_key_is_asked_for_where_keys_are(upstream: FakeUpstream, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    async with serving(provider(upstream.url), policy("acme/small"), api_keys_file=tmp_path / "keys.json") as router:
        for method, path in (
            ("POST", "/route"),
            ("POST", "/classify"),
            ("POST", "/update"),
            ("GET", "/info"),
            ("GET", "/status"),
            ("GET", "/models"),
            ("GET", "/models/small"),
            ("GET", "/metrics/models"),
            ("GET", "/metrics/small"),
        ):
            reply = await router.request(method, path, data=b"{}" if method == "POST" else None)
            assert (reply.status, reply.error_code) == (401, "invalid_api_key"), path


async def test_policies_constraints_and_the_request_s_own_are_intersected(upstream: FakeUpstream) -> None:
    strict = policy("acme/small", constraints=Constraints(max_cost_micro_usd=1))
    async with serving(provider(upstream.url), strict) as router:
        reply = await route(router, constraints={"max_tokens": 5, "max_cost_usd": 1000})
        assert reply.error_code == "no_candidate"
