"""Which requests are the same question."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.cache.canonical import canonical

BASE: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "temperature": 1}


def of(body: Any, *, stream: bool = False) -> bytes | None:
    return canonical(body if isinstance(body, bytes) else json.dumps(body).encode(), stream=stream)


SAME: list[tuple[str, bytes]] = [
    ("fields in another order", b'{"temperature":1,"messages":[{"role":"user","content":"hi"}],"model":"auto"}'),
    ("white space", json.dumps(BASE, indent=4).encode()),
    ("a field that is null", json.dumps(BASE | {"seed": None}).encode()),
    ("stream said to be false", json.dumps(BASE | {"stream": False}).encode()),
    ("options of a stream that is none", json.dumps(BASE | {"stream_options": {"include_usage": True}}).encode()),
    ("labels for the provider's books", json.dumps(BASE | {"metadata": {"a": "b"}, "prompt_cache_key": "k"}).encode()),
    ("store said to be false", json.dumps(BASE).encode()),
]

OTHER: list[tuple[str, dict[str, Any]]] = [
    ("a word", BASE | {"messages": [{"role": "user", "content": "ho"}]}),
    ("a role", BASE | {"messages": [{"role": "system", "content": "hi"}]}),
    ("the model", BASE | {"model": "other"}),
    ("the temperature", BASE | {"temperature": 0}),
    ("the end user", BASE | {"user": "u-1"}),
    ("the end user, by its newer name", BASE | {"safety_identifier": "u-1"}),
    ("a seed", BASE | {"seed": 1}),
    ("tools", BASE | {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    ("a limit", BASE | {"max_tokens": 5}),
    ("a field nobody knows", BASE | {"frobnicate": True}),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SAME])
def test_what_changes_no_answer_changes_no_question(body: bytes) -> None:
    assert of(body) == of(BASE)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in OTHER])
def test_what_may_change_an_answer_makes_another_question(body: dict[str, Any]) -> None:
    assert of(body) not in {None, of(BASE)}


def test_a_whole_answer_is_none_to_a_stream_nor_one_with_usage_to_one_without() -> None:
    shapes = {
        of(BASE),
        of(BASE | {"stream": True}, stream=True),
        of(BASE | {"stream": True, "stream_options": {"include_usage": True}}, stream=True),
    }
    assert len(shapes) == 3


def test_a_request_that_the_provider_is_asked_to_store_has_an_answer_of_its_own() -> None:
    assert of(BASE | {"store": True}) is None


def test_a_body_nested_too_deeply_has_no_question_and_no_error() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert of(b'{"model":"auto","messages":' + deep + b"}") is None


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
names = st.text(min_size=1, max_size=6).filter(
    lambda name: (
        name not in {"metadata", "prompt_cache_key", "prompt_cache_retention", "store", "stream", "stream_options"}
    )
)
bodies = st.dictionaries(names, values, max_size=5)


@given(bodies, names, values, values)
def test_any_changed_field_changes_the_question(body: dict[str, Any], name: str, one: Any, other: Any) -> None:
    first, second = of(body | {name: one}), of(body | {name: other})
    # In JSON true is not 1, in Python it is; below the top a field's order counts.
    assert (first == second) == (json.dumps(one) == json.dumps(other))


@given(bodies, st.randoms())
def test_the_order_of_fields_is_no_part_of_the_question(body: dict[str, Any], random: Any) -> None:
    names_ = list(body)
    random.shuffle(names_)
    assert of({name: body[name] for name in names_}) == of(body)
