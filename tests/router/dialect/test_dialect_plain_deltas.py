"""Most events of a stream are told apart without being read in full; that must change nothing anybody can see."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dialect.openai_response import BadAnswer, StreamReader

texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='"\\'), max_size=20)
tricky = st.sampled_from(['"finish_reason":null', '"error"', '"usage"', '{"usage":{}}', "[DONE]", '\\"error\\"'])


def event(text: str, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return msgspec.json.encode({"id": "x", "model": "m", "choices": [choice], **more})


def read(events: list[bytes]) -> tuple[list[bool], int, bool]:
    reader = StreamReader(strip_usage=True, estimated_input_tokens=0)
    passed = [reader.passes(data) for data in events]
    return passed, reader.usage.output_tokens, reader.finished


@given(st.lists(texts, min_size=1, max_size=20))
def test_the_estimate_is_that_of_reading_every_event(words: list[str]) -> None:
    _, tokens, _ = read([event(word) for word in words])
    assert tokens == (sum(map(len, words)) + 3) // 4


@given(st.lists(st.one_of(texts, tricky), max_size=10))
def test_what_a_text_says_is_never_taken_for_the_protocol(words: list[str]) -> None:
    passed, _, finished = read([event("start"), *(event(word) for word in words)])
    assert all(passed)
    assert not finished
    assert read([event("start"), *(event(word) for word in words), event("", "stop")])[2]


def test_an_event_that_ends_one_choice_and_goes_on_with_another_ends_the_one() -> None:
    reader = StreamReader(strip_usage=True, estimated_input_tokens=0, choices=2)
    going_on = {"index": 1, "delta": {"content": "x"}, "finish_reason": None}
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    for choices in ([going_on], [ended, going_on], [ended | {"index": 1}]):
        assert reader.passes(msgspec.json.encode({"choices": choices}))
    assert reader.finished


def test_usage_errors_and_ends_are_seen_after_any_number_of_plain_events() -> None:
    plain = [event("word")] * 3
    usage = {"prompt_tokens": 1, "completion_tokens": 7}
    assert read([*plain, event("", usage=usage)])[1] == 7
    assert read([*plain, event("", "stop")])[2]
    reader = StreamReader(strip_usage=True, estimated_input_tokens=0)
    for data in plain:
        reader.passes(data)
    for broken in (b'{"error":{"message":"x"}}', b"nonsense", b'{"choices":[{"finish_reason":null'):
        try:
            reader.passes(broken)
        except BadAnswer:
            continue
        raise AssertionError(f"{broken!r} was taken for a part of the answer")
