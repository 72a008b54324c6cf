"""What reaches the provider is what the client sent, but for the few edits that are the router's to make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import serving
from tests.router_e2e.scripts import says, streams
from tests.router_e2e.world import endpoint, model, policy, provider

MESSAGES = b'"messages":[{"role":"user","content":"h\\u00e9 \xe2\x82\xac \\ud83d\\ude00","x":1e5}]'


def body(*members: bytes, first: bytes = b'"model":"auto"') -> bytes:
    return b"{" + b",".join([first, MESSAGES, *members]) + b"}"


UPSTREAM_MODEL = b'"model":"small-upstream"'

UNTOUCHED = [
    ("floats keep their form", b'"temperature":1.0,"top_p":1e0,"x":1e5,"y":-0.0,"z":0.10'),
    ("integers of any size", b'"seed":123456789012345678901234567890,"logit_bias":{"50256":-100}'),
    ("unknown fields in their order", b'"zeta":{"b":1,"a":[ 1 , 2 ]},"alpha":null,"frob":"\\u0041\\/"'),
    ("a duplicate key inside a value", b'"metadata":{"a":"1","a":"2"}'),
    ("null stream options of a request that is not streamed", b'"stream_options":null,"stream":false'),
    ("limits", b'"max_tokens":7,"n":2,"stop":["a","b"]'),
    ("a response format", b'"response_format":{"type":"text"}'),
    ("a stream that asks for usage itself", b'"stream":true,"stream_options":{"x":1.0,"include_usage":true}'),
]


@pytest.mark.parametrize("member", [case[1] for case in UNTOUCHED], ids=[case[0] for case in UNTOUCHED])
async def test_every_byte_but_the_models_name_passes(upstream: FakeUpstream, member: bytes) -> None:
    if b'"stream":true' in member:
        upstream.default = streams()
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.post(body(member))).status == 200
        assert upstream.received[0].body == body(member, first=UPSTREAM_MODEL)


STREAM_OPTIONS = [
    ("absent", b"", b',"stream_options":{"include_usage":true}'),
    ("null", b',"stream_options":null', b',"stream_options":{"include_usage":true}'),
    ("empty", b',"stream_options":{}', b',"stream_options":{"include_usage":true}'),
    ("false", b',"stream_options":{"include_usage":false}', b',"stream_options":{"include_usage":true}'),
    ("null inside", b',"stream_options":{"include_usage":null}', b',"stream_options":{"include_usage":true}'),
    ("other", b',"stream_options":{"o":1.50}', b',"stream_options":{"o":1.50,"include_usage":true}'),
]


@pytest.mark.parametrize(("sent", "wanted"), [case[1:] for case in STREAM_OPTIONS], ids=[c[0] for c in STREAM_OPTIONS])
async def test_a_stream_always_asks_the_provider_for_usage(upstream: FakeUpstream, sent: bytes, wanted: bytes) -> None:
    upstream.default = streams()
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.post(body(b'"stream":true' + sent))).status == 200
        assert upstream.received[0].body == body(b'"stream":true' + wanted, first=UPSTREAM_MODEL)


DEFAULTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nothing said", {}, {"temperature": 0.5, "max_tokens": 64}),
    ("null says nothing", {"temperature": None, "max_tokens": None}, {"temperature": 0.5, "max_tokens": 64}),
    ("a temperature of 0 is said", {"temperature": 0}, {"temperature": 0, "max_tokens": 64}),
    ("a limit by its new name", {"max_completion_tokens": 5}, {"temperature": 0.5, "max_completion_tokens": 5}),
]


@pytest.mark.parametrize(("said", "wanted"), [case[1:] for case in DEFAULTS], ids=[case[0] for case in DEFAULTS])
async def test_a_models_defaults_stand_in_for_what_was_not_said(
    upstream: FakeUpstream, said: dict[str, Any], wanted: dict[str, Any]
) -> None:
    small = model(default_temperature=0.5, default_max_output_tokens=64)
    async with serving(provider(upstream.url, models=[small]), policy("acme/small")) as router:
        assert (await router.chat(**said)).status == 200
        received = upstream.received[0].json
        del received["model"], received["messages"]
        assert received == wanted


async def test_the_answers_bytes_come_back_as_they_were(upstream: FakeUpstream) -> None:
    answer = b'{ "choices" : [ {"message":{"content":"\\u00e9 \xf0\x9f\x98\x80"},"p":1.0} ],\n "x":1e5, "usage":null}'
    upstream.plays(says(200, answer))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat()
        assert reply.body == answer
        assert reply.headers["content-type"].startswith("application/json")


async def test_a_compressed_answer_is_understood_although_none_was_asked_for(upstream: FakeUpstream) -> None:
    import gzip

    answer = json.dumps({"choices": [{"message": {"content": "long " * 200}}], "usage": None}).encode()
    upstream.plays(says(200, gzip.compress(answer), content_encoding="gzip"))
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat()
        assert (reply.status, reply.body) == (200, answer)


async def test_a_clients_own_headers_stay_with_the_router(upstream: FakeUpstream) -> None:
    headers = {
        "Authorization": "Bearer client-key",
        "Cookie": "a=b",
        "X-Fairlead-User": "alice",
        "X-Anything": "1",
        "Accept-Encoding": "gzip",
    }
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.chat(headers=headers)).status == 200
        received = upstream.received[0].headers
        assert not {"authorization", "cookie", "x-fairlead-user", "x-anything"} & {name.lower() for name in received}
        assert received["accept-encoding"] == "identity"


@pytest.mark.parametrize("suffix", ["", "/"])
async def test_the_endpoints_path_is_kept_with_and_without_a_final_slash(upstream: FakeUpstream, suffix: str) -> None:
    address = f"http://127.0.0.1:{upstream.port}/deep/v1{suffix}"
    async with serving(provider([endpoint(address)]), policy("acme/small")) as router:
        assert (await router.chat()).status == 200
        assert upstream.received[0].path == "/deep/v1/chat/completions"


async def test_a_compressed_request_is_unpacked(upstream: FakeUpstream) -> None:
    import gzip

    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert (await router.post(gzip.compress(body()), content_encoding="gzip")).status == 200
        assert upstream.received[0].body == body(first=UPSTREAM_MODEL)


async def test_a_body_of_many_megabytes_arrives_whole(upstream: FakeUpstream) -> None:
    text = "many words " * 500_000
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat(messages=[{"role": "user", "content": text}])
        assert reply.status == 200
        assert json.loads(upstream.received[0].body)["messages"][0]["content"] == text
