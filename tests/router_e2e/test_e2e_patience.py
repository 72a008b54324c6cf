"""Clients and providers that are slow, early or half gone: nobody holds a place for good, and the record says what happened."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fairlead_contract.fragments import Retries
from tests.router_e2e.fake_upstream import CLOSE, HANG, FakeUpstream
from tests.router_e2e.harness import HELLO, attempts, eventually, serving
from tests.router_e2e.raw_http import chat_head, raw_connection
from tests.router_e2e.scripts import LAST, answers, fails, framed, head, streams, whole_stream, word
from tests.router_e2e.test_e2e_hangup import caller, hang_up
from tests.router_e2e.world import policy, provider, timeouts


async def test_a_body_that_does_not_come_takes_no_place_and_is_not_waited_for_for_ever(upstream: FakeUpstream) -> None:
    async with (
        serving(
            provider(upstream.url),
            policy("acme/small"),
            max_concurrent_requests=1,
            max_queued_requests=0,
            body_seconds=1,
        ) as router,
        raw_connection(router) as slow,
    ):
        await slow.send(chat_head("Content-Length: 100"))
        assert (await router.chat()).status == 200
        assert await slow.error() == (408, "request_timeout")


async def test_the_total_timeout_bounds_the_wait_for_the_first_event_too(upstream: FakeUpstream) -> None:
    upstream.default = [head(), HANG]
    async with serving(provider(upstream.url), policy("acme/small", timeouts=timeouts(total=1))) as router:
        reply = await asyncio.wait_for(router.chat(stream=True), 5)
        assert (reply.status, reply.error_code) == (504, "upstream_timeout")


async def test_a_rate_limit_without_a_wait_sends_the_request_on_at_once_too(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = fails(429)
    chosen = policy("acme/small", "zenith/small", retries=Retries(attempts=3))
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        record = await router.record(await router.chat())
        assert attempts(record) == [("acme/small", "RateLimited", "rate_limited"), ("zenith/small", "Succeeded", None)]


async def test_who_waited_as_long_as_it_was_asked_to_is_let_through(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=1))) as router:
        for _ in range(40):  # a timer that is a fraction of a millisecond early shows once in twenty times
            upstream.plays(fails(429, retry_after_ms="20"))
            assert (await router.chat()).status == 200


def waited_microseconds(record: dict[str, Any]) -> int:
    """What the record says that the request spent waiting for others."""
    return int(record["durationMicroseconds"]) - int(record["overheadMicroseconds"])


async def test_the_time_that_a_client_takes_to_send_its_body_is_not_the_routers_overhead(
    upstream: FakeUpstream,
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router, raw_connection(router) as slow:
        body = json.dumps({"model": "auto", "messages": HELLO}).encode()
        await slow.send(chat_head(f"Content-Length: {len(body)}") + body[:10])
        await asyncio.sleep(0.6)  # the very thing that is measured
        await slow.send(body[10:])
        assert (await slow.answer())[0] == 200
        assert (await router.newest_record())["overheadMicroseconds"] < 600_000


async def test_the_time_that_a_client_takes_to_read_a_large_answer_is_not_the_routers_overhead(
    upstream: FakeUpstream,
) -> None:
    upstream.plays(answers("x" * 12_000_000))
    async with serving(provider(upstream.url), policy("acme/small")) as router, raw_connection(router) as slow:
        body = json.dumps({"model": "auto", "messages": HELLO}).encode()
        await slow.send(chat_head(f"Content-Length: {len(body)}") + body)
        await asyncio.wait_for(slow.reader.readexactly(1), 10)
        await asyncio.sleep(0.3)  # the very thing that is measured
        await slow.answer()
        await eventually(lambda: router.in_flight == 0, "it is over")
        assert waited_microseconds(await router.newest_record()) >= 290_000


async def test_waiting_for_the_end_of_a_providers_stream_after_its_last_word_is_not_the_routers_overhead(
    upstream: FakeUpstream,
) -> None:
    upstream.plays([*streams(ends=False), HANG])
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        record = await router.record(await router.chat(stream=True))
        assert waited_microseconds(record) >= 90_000


@pytest.mark.parametrize("ends", [True, False], ids=["whole", "its provider's body still open"])
async def test_a_client_that_leaves_with_its_whole_answer_was_served(upstream: FakeUpstream, ends: bool) -> None:
    upstream.plays([*streams(ends=ends), HANG])
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        async with caller(router, stream=True) as (reader, writer):
            await reader.readuntil(b"[DONE]\n\n")
            hang_up(writer, reset=False)
            record = await router.newest_record()
        assert (record["outcome"], record["status"]) == ("Succeeded", 200)
        assert attempts(record) == [("acme/small", "Succeeded", None)]
        await router.idle()


async def test_the_end_of_an_answer_does_not_wait_for_the_end_of_its_providers(upstream: FakeUpstream) -> None:
    upstream.plays([*streams(ends=False), HANG])
    async with serving(provider(upstream.url), policy("acme/small")) as router, raw_connection(router) as client:
        body = b'{"model":"auto","messages":[{"role":"user","content":"x"}],"stream":true}'
        await client.send(chat_head(f"Content-Length: {len(body)}") + body)
        await client.reader.readuntil(b"[DONE]\n\n")
        await client.reader.readuntil(b"0\r\n\r\n")
        assert router.in_flight == 1


async def test_a_status_counts_even_when_its_body_breaks_off(upstream: FakeUpstream, other: FakeUpstream) -> None:
    answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 100\r\n\r\n{"
    upstream.default = [answer, CLOSE]
    chosen = policy("acme/small", "zenith/small")
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        record = await router.record(await router.chat())
        assert attempts(record) == [("acme/small", "RateLimited", "rate_limited"), ("zenith/small", "Succeeded", None)]
        assert router.breaker("acme/small") == "Open"


async def test_the_type_of_an_event_stream_may_be_written_in_any_case(upstream: FakeUpstream) -> None:
    upstream.default = [head("Text/Event-Stream"), *map(framed, whole_stream()), LAST]
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.chat(stream=True)).text == "hello"


@pytest.mark.parametrize("field", ['"Model": "dear"', '"MAX_TOKENS": 1000000', '"\\u017ftream": true'])
async def test_a_field_that_decides_cannot_be_said_again_in_another_spelling(
    upstream: FakeUpstream, field: str
) -> None:
    body = '{"model": "auto", "messages": [{"role": "user", "content": "x"}], ' + field + "}"
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.post(body.encode())
        assert (reply.status, reply.error_code) == (400, "invalid_request")
        assert upstream.received == []
        await router.idle()


@pytest.mark.parametrize(
    "sent",
    [
        chat_head("Authorization: Bearer PRIVATE\x01"),
        chat_head("Transfer-Encoding: chunked") + b"PRIVATE\r\n{}\r\n",
    ],
    ids=["a header that is none", "a chunk that is none"],
)
async def test_what_cannot_be_parsed_is_not_quoted_in_the_log(
    upstream: FakeUpstream, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router, raw_connection(router) as client:
        await client.send(sent)
        assert (await client.answer())[0] == 400
        await eventually(lambda: "what is no HTTP request" in caplog.text, "a line in the log")
    assert "PRIVATE" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_provider_of_a_type_that_a_newer_operator_knows_is_passed_over(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    unknown = provider(upstream.url, type="Oracle")
    async with serving(unknown, provider(other.url, "zenith"), policy("acme/small", "zenith/small")) as router:
        record = await router.record(await router.chat())
        assert attempts(record) == [("acme/small", "Failed", "type_not_supported"), ("zenith/small", "Succeeded", None)]


async def test_words_that_arrive_together_with_an_error_are_passed_on(upstream: FakeUpstream) -> None:
    upstream.plays(streams(word("one"), word("two") + b'data: {"error": {"message": "x"}}\n\n'))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat(stream=True)
        assert reply.text == "onetwo"
        assert b"upstream_stream_interrupted" in reply.events[-1]
