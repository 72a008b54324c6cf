"""Which answers are kept."""

from __future__ import annotations

import json

import pytest

from fairlead_router.cache.completeness import is_complete


def whole(*reasons: str | None) -> bytes:
    return json.dumps({"choices": [{"index": i, "finish_reason": reason} for i, reason in enumerate(reasons)]}).encode()


def events(*chunks: bytes) -> bytes:
    return b"".join(b"data: " + chunk + b"\n\n" for chunk in (*chunks, b"[DONE]"))


def ends(reason: str, index: int = 0) -> bytes:
    return json.dumps({"choices": [{"index": index, "delta": {}, "finish_reason": reason}]}).encode()


WORD = b'{"choices":[{"index":0,"delta":{"content":"\\"finish_reason\\":\\"stop\\""},"finish_reason":null}]}'

CASES: list[tuple[str, bytes, bool, int, bool]] = [
    ("stop", whole("stop"), False, 1, True),
    ("tool calls", whole("tool_calls"), False, 1, True),
    ("the old function call", whole("function_call"), False, 1, True),
    ("the limit that the request set", whole("length"), False, 1, True),
    ("a content filter", whole("content_filter"), False, 1, False),
    ("a reason nobody knows", whole("insufficient_system_resource"), False, 1, False),
    ("no reason", whole(None), False, 1, False),
    ("both of two choices", whole("stop", "length"), False, 2, True),
    ("one of two choices", whole("stop"), False, 2, False),
    ("one of two filtered", whole("stop", "content_filter"), False, 2, False),
    ("no JSON", b"{", False, 1, False),
    ("a stream that stopped", events(WORD, ends("stop")), True, 1, True),
    ("a stream that was filtered", events(WORD, ends("content_filter")), True, 1, False),
    ("a stream without a reason", events(WORD), True, 1, False),
    ("a stream of two, one ended", events(ends("stop", 0)), True, 2, False),
    ("a stream of two, both ended", events(ends("stop", 0), ends("stop", 1)), True, 2, True),
    (
        "an end beside a choice that goes on",
        events(
            b'{"choices":[{"index":0,"finish_reason":null},{"index":1,"finish_reason":"content_filter"}]}', ends("stop")
        ),
        True,
        1,
        False,
    ),
    ("a stream with CRLF", events(WORD, ends("stop")).replace(b"\n", b"\r\n"), True, 1, True),
]


@pytest.mark.parametrize(
    ("body", "stream", "choices", "complete"), [pytest.param(*case, id=name) for name, *case in CASES]
)
def test_an_answer_is_kept_if_every_choice_ended_of_itself(
    body: bytes, stream: bool, choices: int, complete: bool
) -> None:
    assert is_complete(body, type_="Chat", stream=stream, choices=choices) is complete


def test_embeddings_are_complete_as_they_are() -> None:
    assert is_complete(b'{"data":[]}', type_="Embedding", stream=False, choices=1)
