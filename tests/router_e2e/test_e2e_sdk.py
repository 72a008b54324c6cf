"""The official ``openai`` SDK, unchanged but for its base URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import HELLO, Harness, serving
from tests.router_e2e.scripts import answers, completion, event, fails, streams, whole_stream
from tests.router_e2e.world import model, policy, provider, target

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1.0}'}}


@asynccontextmanager
async def sdk(harness: Harness) -> AsyncIterator[AsyncOpenAI]:
    """A client that does not retry by itself."""
    async with AsyncOpenAI(base_url=f"{harness.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_a_whole_answer_arrives_with_its_usage_and_the_decision_as_request_id(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router, sdk(router) as client:
        answer = await client.chat.completions.create(model="auto", messages=HELLO)
        assert answer.choices[0].message.content == "hello"
        assert answer.usage is not None
        assert answer.usage.total_tokens == 15
        assert (await router.record(answer._request_id))["outcome"] == "Succeeded"


async def test_the_synchronous_client_works_too(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:

        def ask() -> str | None:
            with OpenAI(base_url=f"{router.url}/v1", api_key="any", max_retries=0) as client:
                return client.chat.completions.create(model="auto", messages=HELLO).choices[0].message.content

        assert await asyncio.to_thread(ask) == "hello"


@pytest.mark.parametrize(
    ("asked", "sent_upstream", "usage_chunks"),
    [
        ({}, {"include_usage": True}, 0),
        ({"stream_options": {"include_usage": True}}, {"include_usage": True}, 1),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}, 0),
    ],
    ids=["not asked for", "asked for", "declined"],
)
async def test_a_stream_carries_the_usage_chunk_only_if_it_was_asked_for(
    upstream: FakeUpstream, asked: dict[str, object], sent_upstream: dict[str, bool], usage_chunks: int
) -> None:
    upstream.default = streams()
    async with serving(provider(upstream.url), policy("acme/small")) as router, sdk(router) as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True, **asked)
        chunks = [chunk async for chunk in stream]
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert text == "hello"
        assert sum(chunk.usage is not None for chunk in chunks) == usage_chunks
        assert upstream.received[0].json["stream_options"] == sent_upstream
        record = await router.newest_record()
        assert record["usage"] == {"inputTokens": 10, "outputTokens": 5}


async def test_tools_pass_through_in_both_directions(upstream: FakeUpstream) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    upstream.plays(answers(**{k: v for k, v in completion(choices=[choice]).items() if k == "choices"}))
    fragments = provider(upstream.url, models=[model(capabilities=("Tools",))]), policy("acme/small")
    async with serving(*fragments) as router, sdk(router) as client:
        answer = await client.chat.completions.create(
            model="auto", messages=HELLO, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "look"}}
        )
        assert answer.choices[0].message.tool_calls is not None
        assert answer.choices[0].message.tool_calls[0].model_dump() == CALL
        assert upstream.received[0].json["tools"] == [TOOL]


async def test_streamed_tool_calls_pass_through(upstream: FakeUpstream) -> None:
    pieces = [{"index": 0, **CALL}, {"index": 0, "function": {"arguments": "!"}}]
    whole = whole_stream(())
    upstream.plays(streams(whole[0], *(event({"tool_calls": [piece]}) for piece in pieces), *whole[1:]))
    async with serving(provider(upstream.url), policy("acme/small")) as router, sdk(router) as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True, tools=[TOOL])
        calls = [
            c for chunk in [c async for c in stream] for choice in chunk.choices for c in choice.delta.tool_calls or ()
        ]
        assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"at": 1.0}!'


async def test_models_are_listed_and_retrieved_by_their_names(upstream: FakeUpstream) -> None:
    fragments = provider(upstream.url, models=["small", "org/large"]), policy("acme/small")
    async with serving(*fragments) as router, sdk(router) as client:
        listed = [entry.id async for entry in client.models.list()]
        assert listed == ["auto", "org/large", "small"]
        for name in listed:
            assert (await client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("none")


ERRORS = [
    ("an unknown model", "none", None, openai.NotFoundError, 404, "model_not_found"),
    ("an ambiguous name", "twin", None, openai.ConflictError, 409, "model_ambiguous"),
    ("a provider's rate limit", "auto", fails(429), openai.RateLimitError, 429, "upstream_rate_limited"),
    ("a provider's fault", "auto", fails(500), openai.InternalServerError, 502, "upstream_error"),
    ("a provider's 401", "auto", fails(401), openai.InternalServerError, 502, "upstream_error"),
    ("a refused request", "auto", fails(400, "bad"), openai.BadRequestError, 400, "bad"),
    ("no policy", "auto", "no policy", openai.InternalServerError, 503, "no_policy"),
]


@pytest.mark.parametrize(
    ("asked", "script", "kind", "status", "code"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS]
)
async def test_errors_become_the_exceptions_an_openai_user_knows(
    upstream: FakeUpstream, asked: str, script: list[bytes] | str | None, kind: type[Exception], status: int, code: str
) -> None:
    one, two = (provider(upstream.url, name, models=["small", "twin"]) for name in ("acme", "zenith"))
    fragments = [one, two] if script == "no policy" else [one, two, policy("acme/small")]
    if isinstance(script, list):
        upstream.plays(script)
    async with serving(*fragments) as router, sdk(router) as client:
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(model=asked, messages=HELLO)
        assert isinstance(caught.value, openai.APIStatusError)
        assert (caught.value.status_code, caught.value.code) == (status, code)
        assert caught.value.request_id is not None
        assert (await router.record(caught.value.request_id))["status"] == status


async def test_a_stream_that_is_cut_raises_instead_of_ending(upstream: FakeUpstream) -> None:
    first, text, *_ = whole_stream()
    upstream.plays(streams(first, text, ends=True))
    async with serving(provider(upstream.url), policy("acme/small")) as router, sdk(router) as client:
        stream = await client.chat.completions.create(model="auto", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError) as caught:
            [chunk async for chunk in stream]
        assert caught.value.code == "upstream_stream_interrupted"


async def test_the_sdks_own_retries_use_the_routers_retry_after(upstream: FakeUpstream) -> None:
    # The provider's wait is over a second; the SDK must see it, wait, and succeed the second time.
    upstream.plays(fails(429, retry_after="1"))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        async with AsyncOpenAI(base_url=f"{router.url}/v1", api_key="any", max_retries=1) as client:
            answer = await client.chat.completions.create(model="auto", messages=HELLO)
        assert answer.choices[0].message.content == "hello"
        assert len(upstream.received) == 2


@pytest.mark.usefixtures("upstream")
async def test_raw_responses_show_the_routers_headers(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy(target("acme/small"))) as router, sdk(router) as client:
        raw = await client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
        assert raw.headers["x-fairlead-model"] == "team/acme/small"
        assert raw.headers["x-fairlead-policy"] == "team/route"
