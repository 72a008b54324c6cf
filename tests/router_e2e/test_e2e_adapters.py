"""What every adapter of a provider keeps to, whatever is behind it. A new adapter joins by one scene in ``SCENES``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest

from fairlead_contract.fragments import Endpoint, Simulated
from fairlead_router.config.table import ModelEntry
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dialect.openai_response import StreamReader, read_answer
from fairlead_router.dialect.sse import EventSplitter, event_data
from fairlead_router.dispatch.providers import make_adapters
from fairlead_router.dispatch.providers.base import Adapter, Call
from fairlead_router.dispatch.transport.base import Answer, CallFailed, Transport
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.settings import Settings, networks
from tests.router.builders import a_provider, a_table
from tests.router_e2e.fake_upstream import Received, Script, fake_upstream
from tests.router_e2e.scripts import answers, fails, streams, whole_stream

Scene = tuple[Adapter, ModelEntry, ModelEntry]
"""The adapter, a model that answers with words and usage, and one whose provider always fails with a 503."""


def a_model_of(**fields: object) -> ModelEntry:
    [model] = a_table(a_provider(**fields)).models.values()
    return model


@asynccontextmanager
async def a_transport() -> AsyncIterator[Transport]:
    transport = Http1Transport(Settings(allow_networks=networks("loopback")))
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def simulated() -> AsyncIterator[Scene]:
    def acting(how: Simulated) -> ModelEntry:
        return a_model_of(type="Simulated", endpoints=(), simulated=how)

    async with a_transport() as transport:
        adapter = make_adapters(transport)["Simulated"]
        yield adapter, acting(Simulated(output_tokens=3)), acting(Simulated(error_percent=100))


@asynccontextmanager
async def over_http(provider_type: str) -> AsyncIterator[Scene]:
    def works(received: Received) -> Script:
        return streams(*whole_stream()) if b'"stream":true' in received.body else answers()

    async with fake_upstream() as good, fake_upstream() as bad, a_transport() as transport:
        good.default, bad.default = works, fails(503)
        adapter = make_adapters(transport)[provider_type]
        yield (
            adapter,
            a_model_of(type=provider_type, endpoints=(Endpoint("e", good.url),)),
            a_model_of(type=provider_type, endpoints=(Endpoint("e", bad.url),)),
        )


SCENES = {
    "Simulated": simulated,
    "OpenAICompatible": partial(over_http, "OpenAICompatible"),
    "AzureOpenAI": partial(over_http, "AzureOpenAI"),
}


@pytest.fixture(params=SCENES.values(), ids=SCENES.keys())
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    begin: Callable[[], AbstractAsyncContextManager[Scene]] = request.param
    async with begin() as found:
        yield found


def call(model: ModelEntry, *, stream: bool = False) -> Call:
    body = b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"stream":%s}' % (
        b"true" if stream else b"false"
    )
    return Call(parse_chat_request(body), model, model.provider.endpoints[0], "d-1", 1, 5.0)


async def test_every_type_that_has_an_adapter_has_a_scene() -> None:
    async with a_transport() as transport:
        adapters = make_adapters(transport)
        assert {type(adapter) for adapter in adapters.values()} == {type(adapters[name]) for name in SCENES}


async def test_a_whole_answer_is_a_chat_completion_with_its_usage(scene: Scene) -> None:
    adapter, model, _ = scene
    answer: Answer = await adapter.open(call(model))
    assert (answer.status, answer.is_event_stream) == (200, False)
    usage = read_answer(await answer.read(1 << 20), estimated_input_tokens=1)
    assert usage.output_tokens > 0
    assert not usage.estimated
    answer.close()


async def test_a_streamed_answer_has_words_a_finish_usage_and_an_end(scene: Scene) -> None:
    adapter, model, _ = scene
    answer = await adapter.open(call(model, stream=True))
    assert (answer.status, answer.is_event_stream) == (200, True)
    splitter, reader = EventSplitter(max_event_bytes=1 << 20), StreamReader(strip_usage=True, estimated_input_tokens=1)
    passed = []
    while chunk := await answer.read_chunk():
        for event in splitter.feed(chunk):
            data = event_data(event)
            assert data
            passed.append(reader.passes(data))
    assert reader.done
    assert reader.finished
    assert passed.count(False) == 1, "the usage that only we asked for is one event of its own"
    assert reader.usage.output_tokens > 0
    assert not reader.usage.estimated
    answer.close()


async def test_a_failure_is_a_status_with_an_error_object_and_no_exception(scene: Scene) -> None:
    adapter, _, broken = scene
    answer = await adapter.open(call(broken))
    assert answer.status == 503
    assert b'"error"' in await answer.read(1 << 20)
    assert answer.header("retry-after") is None
    answer.close()


async def test_closing_early_and_twice_is_harmless(scene: Scene) -> None:
    adapter, model, _ = scene
    answer = await adapter.open(call(model, stream=True))
    await answer.read_chunk()
    answer.close()
    answer.close()
    whole = await adapter.open(call(model))
    assert whole.status == 200
    whole.close()


async def test_an_adapter_serves_many_at_once(scene: Scene) -> None:
    adapter, model, _ = scene

    async def one() -> int:
        answer = await adapter.open(call(model))
        try:
            return len(await answer.read(1 << 20))
        finally:
            answer.close()

    assert all(await asyncio.gather(*(one() for _ in range(20))))


async def test_an_answer_larger_than_allowed_is_refused_and_not_held() -> None:
    async with over_http("OpenAICompatible") as (adapter, model, _):
        answer = await adapter.open(call(model))
        with pytest.raises(CallFailed) as raised:
            await answer.read(10)
        assert raised.value.error == "answer_too_large"
        answer.close()
