"""Reading completion and embedding requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairlead_router.dialect.openai_completion import parse_completion_request
from fairlead_router.dialect.openai_embedding import parse_embedding_request
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.errors import RouterError


def completion(**fields: Any) -> ModelRequest:
    return parse_completion_request(json.dumps({"model": "auto", **fields}).encode())


def embedding(**fields: Any) -> ModelRequest:
    return parse_embedding_request(json.dumps({"model": "auto", **fields}).encode())


@pytest.mark.parametrize(
    ("texts", "count", "tokens", "characters"),
    [
        ("twelve chars", 1, 3, 12),
        (["twelve chars", "four"], 2, 4, 16),
        ([1, 2, 3], 1, 3, 12),
        ([[1, 2, 3], [4]], 2, 4, 16),
    ],
    ids=["one text", "several texts", "token ids", "several lists of token ids"],
)
def test_texts_come_in_four_forms(texts: Any, count: int, tokens: int, characters: int) -> None:
    for request in (completion(prompt=texts), embedding(input=texts)):
        assert request.message_count == count
        assert request.estimated_input_tokens == tokens
        assert request.content_length_characters == characters


@pytest.mark.parametrize(
    ("fields", "choices", "generations"),
    [
        ({"prompt": "a"}, 1, 1),
        ({"prompt": "a", "n": 3}, 3, 3),
        ({"prompt": ["a", "b"], "n": 2}, 4, 4),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5}, 4, 10),
    ],
)
def test_every_candidate_is_billed_and_every_choice_awaited(
    fields: dict[str, Any], choices: int, generations: int
) -> None:
    request = completion(**fields)
    assert (request.choices, request.generations) == (choices, generations)


def test_a_completion_may_be_streamed_and_ask_for_usage() -> None:
    request = completion(prompt="a", stream=True, stream_options={"include_usage": True}, max_tokens=7)
    assert (request.stream, request.client_wants_usage, request.max_output_tokens) == (True, True, 7)


def test_an_embedding_is_never_a_stream_and_bills_no_output() -> None:
    request = embedding(input="a", stream=True)
    assert (request.stream, request.generations) == (False, 0)


def test_a_models_defaults_for_text_do_not_go_into_an_embedding() -> None:
    sent = json.loads(embedding(input="a").upstream_body("m", default_temperature=0.5, default_max_output_tokens=9))
    assert sent == {"model": "m", "input": "a"}


def test_unknown_fields_go_upstream_as_they_came() -> None:
    body = b'{"model":"auto","prompt":"a","echo":true,"logit_bias":{"50256":-1e2},"suffix":"\\u00e9"}'
    sent = parse_completion_request(body).upstream_body("m")
    assert sent == body.replace(b'"auto"', b'"m"')


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"prompt": []}, "prompt", "is empty"),
        ({"prompt": ["a", 1]}, "prompt", "mixes"),
        ({"prompt": "a", "n": 0}, "n", "between 1 and 128"),
        ({"prompt": "a", "best_of": 129}, "best_of", "between 1 and 128"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens", "at least 0"),
        ({"prompt": ["a"] * 100, "n": 100}, "prompt", "more than 2048"),
        ({"prompt": 5}, "prompt", "expected"),
    ],
)
def test_a_completion_that_cannot_be_is_refused_in_words_that_name_the_field(
    fields: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(RouterError) as raised:
        completion(**fields)
    assert (raised.value.status, raised.value.param) == (400, param)
    assert words in raised.value.message


@pytest.mark.parametrize("fields", [{}, {"input": []}, {"input": {"text": "a"}}])
def test_an_embedding_without_text_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RouterError) as raised:
        embedding(**fields)
    assert (raised.value.status, raised.value.param) == (400, "input")
