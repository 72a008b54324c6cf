"""What a chat request asks for, and the few edits that are made to it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.errors import RouterError

HI = [{"role": "user", "content": "hi"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": HI} | fields).encode()


def parsed(**fields: Any) -> ModelRequest:
    return parse_chat_request(body(**fields))


def content(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"stream": False, "client_wants_usage": False, "max_output_tokens": None, "choices": 1}),
        ({"stream": True}, {"stream": True, "client_wants_usage": False}),
        ({"stream": None}, {"stream": False}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"client_wants_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False}}, {"client_wants_usage": False}),
        ({"stream": True, "stream_options": None}, {"client_wants_usage": False}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 7}, {"max_output_tokens": 7}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_output_tokens": 7}),
        ({"max_tokens": 7, "max_completion_tokens": 5}, {"max_output_tokens": 7}),
        ({"max_tokens": 5, "max_completion_tokens": None}, {"max_output_tokens": 5}),
        ({"n": 3}, {"choices": 3}),
        ({"n": None}, {"choices": 1}),
        ({"tools": [{}]}, {"required_capabilities": ("Tools",)}),
        ({"tools": []}, {"required_capabilities": ()}),
        ({"functions": [{}]}, {"required_capabilities": ("Tools",)}),
        ({"response_format": {"type": "json_object"}}, {"required_capabilities": ("JSONMode",)}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"required_capabilities": ("JSONMode",)}),
        ({"response_format": {"type": "text"}}, {"required_capabilities": ()}),
        ({"messages": content({"type": "image_url", "image_url": {}})}, {"required_capabilities": ("Vision",)}),
        (
            {"messages": content({"type": "image_url"}), "tools": [{}], "response_format": {"type": "json_object"}},
            {"required_capabilities": ("JSONMode", "Tools", "Vision")},
        ),
        ({"messages": content({"type": "text", "text": "four"}, "six!!!")}, {"content_length_characters": 10}),
        ({"messages": content({"type": "text", "text": None})}, {"content_length_characters": 0}),
        ({"messages": [{"role": "assistant", "content": None}, *HI]}, {"content_length_characters": 2}),
        ({"messages": HI * 3}, {"message_count": 3, "estimated_input_tokens": 2 + 12}),
        ({"messages": [{"content": "héllo€"}]}, {"content_length_characters": 6}),
        ({"unheard": {"of": [1, 2]}}, {"model": "auto"}),
    ],
)
def test_a_request_is_read_as_far_as_decisions_need_it(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    request = parsed(**fields)
    assert {name: getattr(request, name) for name in wanted} == wanted


TOO_LARGE_FOR_ANY_MODEL = 2**31


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b'{"model": "a"} x', "invalid_request", "messages"),
        (b"[" * 100_000, "invalid_request", None),
        (b'{"model":"a","x":' + b"[" * 100_000, "invalid_json", None),
        (b"[]", "invalid_request", None),
        (b'"\xff"', "invalid_request", None),
        (b'{"model":"\xff","messages":[{}]}', "invalid_json", None),
        (b"{}", "invalid_request", "model"),
        (body(model=""), "invalid_request", "model"),
        (body(model=7), "invalid_request", "model"),
        (b'{"model":"a"}', "invalid_request", "messages"),
        (body(messages=[]), "invalid_request", "messages"),
        (body(messages="hi"), "invalid_request", "messages"),
        (body(messages=[{"content": 5}]), "invalid_request", "messages[0].content"),
        (body(stream="yes"), "invalid_request", "stream"),
        (body(stream_options=[]), "invalid_request", "stream_options"),
        (body(max_tokens=0), "invalid_request", "max_tokens"),
        (body(max_tokens=-5), "invalid_request", "max_tokens"),
        (body(max_tokens="many"), "invalid_request", "max_tokens"),
        (body(max_tokens=TOO_LARGE_FOR_ANY_MODEL), "invalid_request", "max_tokens"),
        (body(max_completion_tokens=TOO_LARGE_FOR_ANY_MODEL), "invalid_request", "max_completion_tokens"),
        (body(max_completion_tokens=0), "invalid_request", "max_completion_tokens"),
        (body(n=0), "invalid_request", "n"),
        (body(n=129), "invalid_request", "n"),
        (body(tools={}), "invalid_request", "tools"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words_that_name_the_field(data: bytes, code: str, param: str | None) -> None:
    with pytest.raises(RouterError) as raised:
        parse_chat_request(data)
    error = raised.value
    assert (error.status, error.code, error.param) == (400, code, param)
    assert param is None or param in error.message


def raw_fields(data: bytes) -> dict[str, bytes]:
    decoded = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in decoded.items()}


numbers = st.sampled_from(["0", "-0", "1.50", "1e3", "1E-2", "12345678901234567890123", "0.1000"])
odd_json = st.one_of(
    numbers,
    st.sampled_from(["true", "null", "{ }", "[ 1 ,2 ]", '{"a":1,"a":2}', '"\\u00e9\\/"', '"é"', '{"b":1, "a":2}']),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
)
KNOWN = {"model", "messages", "stream", "stream_options", "temperature", "max_tokens", "max_completion_tokens", "n"}
names = st.text(max_size=6).filter(
    lambda name: name.casefold() not in KNOWN | {"tools", "functions", "response_format"} and "\ud800" not in name
)


@given(st.dictionaries(names, odd_json, max_size=5), st.booleans(), st.floats(0, 2), st.integers(1, 9))
def test_every_field_that_is_not_ours_to_edit_goes_upstream_byte_for_byte(
    extra: dict[str, str], stream: bool, temperature: float, limit: int
) -> None:
    fields = {"messages": '[ {"role": "user", "content": "h\\u0069"} ]', "model": '"auto"', **extra}
    fields["stream"] = "true" if stream else "false"
    text = ", ".join(f"{json.dumps(name)} : {value}" for name, value in fields.items())
    request = parse_chat_request(f"{{ {text} }}".encode())
    sent = request.upstream_body("upstream", default_temperature=temperature, default_max_output_tokens=limit)

    found = raw_fields(sent)
    kept = {name: value.encode() for name, value in fields.items() if name != "model"}
    assert {name: found[name] for name in kept} == kept
    edited = {"model", "temperature", "max_tokens"} | ({"stream_options"} if stream else set())
    assert found.keys() - kept.keys() == edited
    assert list(found)[: len(fields)] == list(fields)
    assert json.loads(sent)["model"] == "upstream"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, {"temperature": 0.5, "max_tokens": 64}),
        ({"temperature": 0}, {"temperature": 0, "max_tokens": 64}),
        ({"temperature": None, "max_tokens": None}, {"temperature": 0.5, "max_tokens": 64}),
        ({"max_tokens": 3}, {"temperature": 0.5, "max_tokens": 3}),
        ({"max_completion_tokens": 3}, {"temperature": 0.5, "max_completion_tokens": 3}),
        ({"max_completion_tokens": None}, {"temperature": 0.5, "max_completion_tokens": None, "max_tokens": 64}),
    ],
)
def test_a_models_defaults_stand_in_only_for_what_the_client_left_out(
    fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    upstream = json.loads(parsed(**fields).upstream_body("m", default_temperature=0.5, default_max_output_tokens=64))
    assert upstream == {"model": "m", "messages": HI} | sent


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        ({"stream": True, "stream_options": {}}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"include_usage": True}),
        ({}, "absent"),
    ],
)
def test_usage_is_asked_for_on_every_stream_and_nowhere_else(fields: dict[str, Any], options: Any) -> None:
    assert json.loads(parsed(**fields).upstream_body("m")).get("stream_options", "absent") == options


def test_of_a_field_that_is_given_twice_the_last_counts_here_and_upstream() -> None:
    request = parse_chat_request(
        b'{"model":"one","messages":[{"content":"long text"}],"model":"two","messages":[{"content":"x"}],"a":1,"a":2}'
    )
    assert (request.model, request.content_length_characters) == ("two", 1)
    assert request.upstream_body("m") == b'{"model":"m","messages":[{"content":"x"}],"a":2}'
