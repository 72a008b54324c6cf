"""Requests that cannot be served: each gets a typed error in OpenAI's shape, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import HELLO, Harness, serving
from tests.router_e2e.raw_http import chat_head, raw_connection
from tests.router_e2e.world import model, policy, provider

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
GOOD = b'{"model":"auto",' + MESSAGES + b"}"


@pytest.fixture
async def router(upstream: FakeUpstream) -> AsyncIterator[Harness]:
    """A router that takes small bodies; afterwards it must still serve, and nothing may be in flight."""
    async with serving(provider(upstream.url), policy("acme/small"), max_body_bytes=300_000) as running:
        yield running
        assert (await running.chat()).status == 200
        await running.idle()


def with_field(text: bytes) -> bytes:
    return b'{"model":"auto",' + MESSAGES + b"," + text + b"}"


BODIES: list[tuple[str, bytes, str, str | None]] = [
    # name, body, code, param
    ("nothing", b"", "invalid_json", None),
    ("no JSON", b"hello", "invalid_json", None),
    ("cut JSON", GOOD[:-1], "invalid_json", None),
    ("two documents", GOOD + GOOD, "invalid_json", None),
    ("invalid UTF-8", GOOD.replace(b"hi", b"\xff\xfe"), "invalid_json", None),
    ("half a surrogate pair", GOOD.replace(b"hi", b"\\ud83d"), "invalid_json", None),
    ("NaN", with_field(b'"temperature":NaN'), "invalid_json", None),
    ("a list", b"[" + GOOD + b"]", "invalid_request", None),
    ("a string", b'"hi"', "invalid_request", None),
    ("null", b"null", "invalid_request", None),
    ("deep nesting", with_field(b'"x":' + b"[" * 100_000 + b"]" * 100_000), "invalid_json", None),
    ("deep nesting of the messages", b'{"model":"auto","messages":' + b"[" * 100_000, "invalid_request", "messages[0]"),
    ("deep objects", with_field(b'"x":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_000), "invalid_json", None),
    ("no model", b"{" + MESSAGES + b"}", "invalid_request", "model"),
    ("a model that is null", b'{"model":null,' + MESSAGES + b"}", "invalid_request", "model"),
    ("an empty model", b'{"model":"",' + MESSAGES + b"}", "invalid_request", "model"),
    ("an endless model", b'{"model":"' + b"m" * 100_000 + b'",' + MESSAGES + b"}", "invalid_request", "model"),
    ("a number for a model", b'{"model":7,' + MESSAGES + b"}", "invalid_request", "model"),
    ("no messages", b'{"model":"auto"}', "invalid_request", "messages"),
    ("empty messages", b'{"model":"auto","messages":[]}', "invalid_request", "messages"),
    ("messages that are a string", b'{"model":"auto","messages":"hi"}', "invalid_request", "messages"),
    ("a message that is a string", b'{"model":"auto","messages":["hi"]}', "invalid_request", "messages[0]"),
    ("content that is a number", GOOD.replace(b'"hi"', b"1"), "invalid_request", "messages[0].content"),
    ("n of 0", with_field(b'"n":0'), "invalid_request", "n"),
    ("n of 129", with_field(b'"n":129'), "invalid_request", "n"),
    ("a fraction of n", with_field(b'"n":1.5'), "invalid_request", "n"),
    ("max_tokens of 0", with_field(b'"max_tokens":0'), "invalid_request", "max_tokens"),
    ("negative max_tokens", with_field(b'"max_completion_tokens":-1'), "invalid_request", "max_completion_tokens"),
    ("max_tokens as text", with_field(b'"max_tokens":"many"'), "invalid_request", "max_tokens"),
    ("max_tokens beyond all bounds", with_field(b'"max_tokens":1' + b"0" * 30), "invalid_request", "max_tokens"),
    ("stream as text", with_field(b'"stream":"yes"'), "invalid_request", "stream"),
    ("stream options as a list", with_field(b'"stream_options":[]'), "invalid_request", "stream_options"),
    ("tools as text", with_field(b'"tools":"hammer"'), "invalid_request", "tools"),
]


@pytest.mark.parametrize(("body", "code", "param"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
async def test_a_body_that_is_no_chat_request_is_400_and_names_the_field(
    router: Harness, upstream: FakeUpstream, body: bytes, code: str, param: str | None
) -> None:
    reply = await router.post(body)
    assert (reply.status, reply.error_code, reply.json["error"]["param"]) == (400, code, param)
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert len(reply.body) < 1000
    assert upstream.received == []


async def test_any_depth_of_nesting_is_either_passed_on_or_refused(router: Harness, upstream: FakeUpstream) -> None:
    depths = [*range(700, 1010, 3)]
    seen = set()
    for depth in depths:
        reply = await router.post(with_field(b'"x":' + b"[" * depth + b"]" * depth))
        seen.add(reply.status)
        assert reply.status in {200, 400}, depth
    assert seen == {200, 400}
    assert all(b"[" * 700 in each.body for each in upstream.received)


async def test_of_a_key_given_twice_the_last_counts_for_router_and_provider(
    router: Harness, upstream: FakeUpstream
) -> None:
    reply = await router.post(b'{"model":"none","stream":true,"model":"auto","stream":false,' + MESSAGES + b"}")
    assert reply.status == 200
    assert upstream.received[0].body.count(b'"model"') == upstream.received[0].body.count(b'"stream"') == 1


async def test_the_largest_limits_are_counted_and_recorded(upstream: FakeUpstream) -> None:
    from fairlead_contract.fragments import Price

    dear = model(prices=(Price(effective_at=0, output=10**12),))
    async with serving(provider(upstream.url, models=[dear]), policy("acme/small")) as router:
        reply = await router.chat(max_tokens=2**31 - 1, n=128)
        assert reply.status == 200
        assert (await router.record(reply))["outcome"] == "Succeeded"


async def test_a_body_announced_as_too_large_is_refused_before_it_is_read(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head(f"Content-Length: {100 * 1024 * 1024}"))
        assert await connection.error() == (413, "request_too_large")


async def test_a_chunked_body_is_refused_when_it_grows_too_large(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head("Transfer-Encoding: chunked"))
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        answer = asyncio.create_task(connection.error())
        sent = 0
        while not answer.done() and sent < 1600:
            await connection.send(piece)
            await asyncio.sleep(0)
            sent += 1
        assert await answer == (413, "request_too_large")
        assert sent < 200, "the router read on long after the limit"


async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(router: Harness) -> None:
    import gzip

    reply = await router.post(gzip.compress(b" " * 50_000_000), content_encoding="gzip")
    assert (reply.status, reply.error_code) == (413, "request_too_large")


HEADS: list[tuple[str, list[str], bytes, int, str]] = [
    ("a workspace that is endless", ["X-Fairlead-Workspace: " + "w" * 300], GOOD, 400, "invalid_request"),
    ("a workspace that is no UTF-8", ["X-Fairlead-Workspace: \xff\xfe"], GOOD, 400, "invalid_request"),
    ("a control character", ["X-Fairlead-User: a\x01b"], GOOD, 400, "invalid_request"),
    ("gzip that is none", ["Content-Encoding: gzip"], GOOD, 400, "invalid_body"),
    ("an empty body", [], b"", 400, "invalid_json"),
]


@pytest.mark.parametrize(("headers", "body", "status", "code"), [c[1:] for c in HEADS], ids=[c[0] for c in HEADS])
async def test_a_header_that_makes_no_sense_is_a_typed_error(
    router: Harness, headers: list[str], body: bytes, status: int, code: str
) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head(*headers, f"Content-Length: {len(body)}") + body)
        got, _, answer = await connection.answer()
        expected = (
            (400, "malformed_http") if b"malformed_http" in answer else (status, code)
        )  # by the HTTP parser itself
        assert (got, json.loads(answer)["error"]["code"]) == expected


NO_HTTP = [
    ("garbage", b"\x16\x03\x01 hello\r\n\r\n"),
    ("a bad length", chat_head("Content-Length: many")),
    ("a negative length", chat_head("Content-Length: -1")),
    ("two framings", chat_head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    ("a huge header", chat_head("X-Junk: " + "j" * 100_000)),
    ("a header without a colon", chat_head("nonsense")),
]


@pytest.mark.parametrize("data", [case[1] for case in NO_HTTP], ids=[case[0] for case in NO_HTTP])
async def test_what_is_no_http_is_400(router: Harness, data: bytes) -> None:
    async with raw_connection(router) as connection:
        await connection.send(data)
        assert await connection.error() in {(400, "malformed_http"), (431, "head_too_large")}


async def test_broken_chunked_coding_is_400(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head("Transfer-Encoding: chunked") + b"5\r\nhello\r\nzz\r\n")
        assert (await connection.answer())[0] == 400


async def test_a_body_that_is_cut_short_is_nobodys_error(router: Harness) -> None:
    async with raw_connection(router) as connection:
        await connection.send(chat_head("Content-Length: 1000") + GOOD)
        connection.writer.write_eof()
        assert await connection.reader.read() == b""


PATHS = [
    ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
    ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ("POST", "/v1/none", 404, "unknown_url"),
    ("GET", "/", 404, "unknown_url"),
    ("GET", "/v1/models/none", 404, "model_not_found"),
    ("GET", "/v1/models/%00%ff", 404, "model_not_found"),
    ("POST", "/v1/chat/completions/", 404, "unknown_url"),
    ("POST", "/v1//chat/completions", 404, "unknown_url"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), PATHS)
async def test_a_path_or_method_that_is_not_served_is_a_typed_error(
    router: Harness, method: str, path: str, status: int, code: str
) -> None:
    reply = await router.request(method, path)
    assert (reply.status, reply.error_code) == (status, code)


async def test_over_the_concurrency_limit_requests_are_told_to_come_back(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, *upstream.default]  # type: ignore[misc]
    async with serving(
        provider(upstream.url), policy("acme/small"), max_concurrent_requests=2, max_queued_requests=0
    ) as router:
        held = [asyncio.create_task(router.chat()) for _ in range(2)]
        await upstream.arrived(2)
        refused = await router.chat()
        assert (refused.status, refused.error_code, refused.headers["retry-after"]) == (503, "router_overloaded", "1")
        assert (await router.request("GET", "/healthz")).status == 200
        gate.set()
        assert {(await task).status for task in held} == {200}
        assert (await router.chat()).status == 200


async def test_before_a_snapshot_arrived_the_router_is_up_and_not_ready(upstream: FakeUpstream) -> None:
    async with serving() as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code, reply.headers["retry-after"]) == (503, "not_ready", "1")
        health: dict[str, Any] = {
            path: (await router.request("GET", path)).status for path in ("/health", "/health/ready")
        }
        assert health == {"/health": 200, "/health/ready": 503}
        await router.load(provider(upstream.url), policy("acme/small"))
        assert (await router.request("GET", "/health/ready")).status == 200
        assert (await router.chat(messages=HELLO)).status == 200
