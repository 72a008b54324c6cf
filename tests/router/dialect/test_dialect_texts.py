"""By which text a request is classified, and how much of it is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dialect.openai_texts import excerpt
from fairlead_router.dialect.operations import CHAT, COMPLETION, EMBEDDING, Operation

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def parts(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


@pytest.mark.parametrize(
    ("operation", "fields", "text"),
    [
        (CHAT, {"messages": [said("system", "be kind"), said("user", "one")]}, "one"),
        (CHAT, {"messages": [said("user", "one"), said("assistant", "two"), said("user", "three")]}, "three"),
        (CHAT, {"messages": [said("user", "one"), said("assistant", None), said("tool", "result")]}, "one"),
        (CHAT, {"messages": [said("user", [*parts("see", "this"), IMAGE])]}, "see\nthis"),
        (CHAT, {"messages": [said("user", "one"), said("user", [IMAGE])]}, "one"),
        (CHAT, {"messages": [said("system", "first"), said("assistant", "last")]}, "last"),
        (CHAT, {"messages": [said("user", None)]}, ""),
        (CHAT, {"messages": [said("user", "")]}, ""),
        (CHAT, {"messages": [{}]}, ""),
        (COMPLETION, {"prompt": "one"}, "one"),
        (COMPLETION, {"prompt": ["one", "two"]}, "one"),
        (COMPLETION, {"prompt": [1, 2]}, ""),
        (COMPLETION, {"prompt": [[1], [2]]}, ""),
        (COMPLETION, {}, "<|endoftext|>"),
        (EMBEDDING, {"input": "one"}, "one"),
        (EMBEDDING, {"input": ["one", "two"]}, "one"),
        (EMBEDDING, {"input": [1, 2]}, ""),
    ],
)
def test_the_text_is_what_the_user_said_last(operation: Operation, fields: dict[str, Any], text: str) -> None:
    body = json.dumps({"model": "auto", **fields}).encode()
    operation.parse(body)
    assert operation.text(body) == text


def test_of_a_long_conversation_only_the_messages_that_matter_are_read() -> None:
    messages = [said("user", "long " * 100_000)] * 5 + [said("user", "short")]
    assert CHAT.text(json.dumps({"model": "auto", "messages": messages}).encode()) == "short"


@given(st.lists(st.integers(0, 20_000), max_size=5))
def test_an_excerpt_is_the_whole_or_its_two_ends(lengths: list[int]) -> None:
    pieces = [chr(97 + place) * length for place, length in enumerate(lengths)]
    whole, cut = "".join(pieces), excerpt(pieces).replace("\n", "")
    if len(whole) <= 12_288:
        assert cut == whole
    else:
        assert (len(cut), cut[:8192], cut[-4096:]) == (12_288, whole[:8192], whole[-4096:])
