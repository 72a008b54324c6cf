"""Completions and embeddings, beside chat: the same way, through the official SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from fairlead_contract.fragments import Match, Price, Simulated
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, serving
from tests.router_e2e.scripts import says
from tests.router_e2e.test_e2e_sdk import sdk
from tests.router_e2e.world import endpoint, model, policy, provider, target

COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "davinci",
    "choices": [{"index": 0, "text": " world", "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
}
EMBEDDINGS = {
    "object": "list",
    "model": "ada",
    "data": [{"object": "embedding", "index": place, "embedding": [0.25, -1e-3]} for place in range(2)],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
DAVINCI = model("davinci", type="Completion")
ADA = model("ada", type="Embedding")
CHAT = model("small")


def everything(url: str) -> tuple[Any, ...]:
    return (
        provider(url, models=[CHAT, DAVINCI, ADA]),
        policy("acme/small", name="chat", match=Match(request_types=("Chat",))),
        policy("acme/davinci", name="completion", match=Match(request_types=("Completion",))),
        policy("acme/ada", name="embedding", match=Match(request_types=("Embedding",))),
    )


def whole(body: dict[str, Any]) -> Any:
    return says(200, json.dumps(body).encode())


def chunk(text: str, finish: str | None = None) -> bytes:
    body = COMPLETION | {
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def test_a_completion_goes_to_a_model_of_its_type_and_is_billed(upstream: FakeUpstream) -> None:
    upstream.plays(whole(COMPLETION))
    async with serving(*everything(upstream.url)) as router, sdk(router) as client:
        answer = await client.completions.create(model="auto", prompt="hello", max_tokens=5, logprobs=1)
        assert answer.choices[0].text == " world"
        received = await upstream.arrived()
        assert received.path == "/v1/completions"
        assert received.json == {"model": "davinci-upstream", "prompt": "hello", "max_tokens": 5, "logprobs": 1}
        record = await router.newest_record()
        assert record["facts"]["requestType"] == "Completion"
        assert record["chosen"] == "team/acme/davinci"
        assert record["usage"] == {"inputTokens": 2, "outputTokens": 3}
        assert record["costMicroUsd"] == 2 * 1 + 3 * 2


async def test_a_streamed_completion_ends_with_done_and_hides_the_usage_nobody_asked_for(
    upstream: FakeUpstream,
) -> None:
    usage = b"data: " + json.dumps(COMPLETION | {"choices": []}).encode() + b"\n\n"
    upstream.plays(
        says(200, chunk(" wor") + chunk("ld", "stop") + usage + b"data: [DONE]\n\n", content_type="text/event-stream")
    )
    async with serving(*everything(upstream.url)) as router, sdk(router) as client:
        stream = await client.completions.create(model="auto", prompt="hello", stream=True)
        assert [[choice.text for choice in each.choices] async for each in stream] == [[" wor"], ["ld"]]
        assert upstream.received[0].json["stream_options"] == {"include_usage": True}
        assert (await router.newest_record())["usage"] == {"inputTokens": 2, "outputTokens": 3}


async def test_a_completion_of_several_prompts_is_whole_when_every_choice_has_finished(upstream: FakeUpstream) -> None:
    half = (
        b"data: "
        + json.dumps(
            COMPLETION | {"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}], "usage": None}
        ).encode()
        + b"\n\n"
    )
    upstream.plays([*says(200, half, content_type="text/event-stream")])
    async with serving(*everything(upstream.url)) as router, sdk(router) as client:
        stream = await client.completions.create(model="auto", prompt=["a", "b"], stream=True)
        with pytest.raises(openai.APIError) as caught:
            [each async for each in stream]
        assert caught.value.code == "upstream_stream_interrupted"


async def test_embeddings_pass_byte_for_byte_and_cost_their_input(upstream: FakeUpstream) -> None:
    body = json.dumps(EMBEDDINGS).encode()
    upstream.plays(says(200, body))
    price = Price(effective_at=0, input=1_000_000, output=9_000_000)
    ada = model("ada", type="Embedding", prices=(price,), default_max_output_tokens=50)
    async with serving(provider(upstream.url, models=[ada]), policy("acme/ada")) as router:
        reply = await router.request(
            "POST", "/v1/embeddings", data=b'{"model":"auto","input":["a","b"],"dimensions":2}'
        )
        assert (reply.status, reply.body) == (200, body)
        received = await upstream.arrived()
        assert received.path == "/v1/embeddings"
        assert received.body == b'{"model":"ada-upstream","input":["a","b"],"dimensions":2}'
        record = await router.record(reply)
        assert record["costMicroUsd"] == 7
        assert record["attempts"][0]["reservedMicroUsd"] == len(received.body) - len("ada-upstream") + len("auto")


async def test_the_sdk_understands_embeddings(upstream: FakeUpstream) -> None:
    upstream.plays(whole(EMBEDDINGS))
    async with serving(*everything(upstream.url)) as router, sdk(router) as client:
        answer = await client.embeddings.create(model="auto", input=["a", "b"], encoding_format="float")
        assert [each.embedding for each in answer.data] == [[0.25, -0.001]] * 2


async def test_an_error_dressed_as_embeddings_is_tried_elsewhere(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.plays(says(200, b'{"error":{"message":"no","code":"busy"}}'))
    other.plays(whole(EMBEDDINGS))
    one, two = (provider(each.url, name, models=[ADA]) for each, name in ((upstream, "acme"), (other, "zenith")))
    async with serving(one, two, policy("acme/ada", "zenith/ada")) as router, sdk(router) as client:
        assert len((await client.embeddings.create(model="auto", input="a", encoding_format="float")).data) == 2
        assert (await router.newest_record())["chosen"] == "team/zenith/ada"


@pytest.mark.parametrize(
    ("path", "named", "wanted"),
    [
        ("chat/completions", "ada", "Chat"),
        ("completions", "small", "Completion"),
        ("embeddings", "davinci", "Embedding"),
    ],
)
async def test_a_model_of_another_type_is_not_called(
    upstream: FakeUpstream, path: str, named: str, wanted: str
) -> None:
    asked = {"model": named, "messages": [{"role": "user", "content": "a"}], "prompt": "a", "input": "a"}
    async with serving(*everything(upstream.url)) as router:
        reply = await router.request("POST", f"/v1/{path}", data=json.dumps(asked).encode())
        assert (reply.status, reply.error_code) == (400, "operation_not_supported")
        assert f"requests of type {wanted} need {wanted}" in reply.json["error"]["message"]
    assert upstream.received == []


async def test_azure_gets_its_own_addresses_and_header(upstream: FakeUpstream) -> None:
    at = endpoint(upstream.url.removesuffix("/v1"), "main")
    acme = provider(
        [at], models=[model("gpt", upstream_name="my-deployment")], type="AzureOpenAI", azure_api_version="2024-06-01"
    )
    async with serving(acme, policy("acme/gpt")) as router:
        assert (await router.chat()).status == 200
    received = await upstream.arrived()
    assert received.path == "/openai/deployments/my-deployment/chat/completions?api-version=2024-06-01"


SIMULATED = provider(
    [],
    models=[CHAT, DAVINCI, ADA],
    type="Simulated",
    simulated=Simulated(output_tokens=4),
)


async def ask_everything(router: Harness) -> list[str]:
    async with sdk(router) as client:
        text = await client.completions.create(model="davinci", prompt=["a", "b"], n=2)
        pieces = [
            choice.text
            async for each in await client.completions.create(model="davinci", prompt="a", stream=True)
            for choice in each.choices
        ]
        vectors = await client.embeddings.create(model="ada", input=["a", "b"])
        assert len(text.choices) == 4
        assert [len(each.embedding) for each in vectors.data] == [16, 16]
        assert vectors.data[0].embedding != vectors.data[1].embedding
        return [text.choices[0].text, "".join(pieces)]


async def test_a_simulated_provider_knows_every_operation() -> None:
    async with serving(SIMULATED, policy(target("acme/small"))) as router:
        first = await ask_everything(router)
        assert first == await ask_everything(router), "the same request gets the same answer"
        assert all(len(text.split()) == 4 for text in first)
