"""Usage, errors and the end of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairlead_contract.decision import Usage
from fairlead_router.dialect.openai_response import BadAnswer, StreamReader, error_code, read_answer

CHOICE = {"index": 0, "message": {"role": "assistant", "content": "12345678"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
REPORTED = Usage(input_tokens=9, output_tokens=2)


def answer(**fields: Any) -> bytes:
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [CHOICE]} | fields).encode()


def said(**message: Any) -> list[dict[str, Any]]:
    return [CHOICE | {"message": {"role": "assistant", "content": None} | message}]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (USAGE, REPORTED),
        (USAGE | {"prompt_tokens_details": None, "completion_tokens_details": {}}, REPORTED),
        (
            USAGE
            | {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 1}},
            Usage(input_tokens=9, output_tokens=2, cached_input_tokens=4, reasoning_tokens=1),
        ),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": None}}, REPORTED),
        ({"prompt_tokens": 9}, Usage(input_tokens=9)),
        ({"completion_tokens": 2}, Usage(output_tokens=2)),
        ({"prompt_tokens": -1, "completion_tokens": 2}, Usage(output_tokens=2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        (USAGE | {"queue_time": 0.5}, REPORTED),
    ],
)
def test_usage_is_taken_as_the_provider_reports_it(usage: dict[str, Any], read: Usage) -> None:
    assert read_answer(answer(usage=usage), estimated_input_tokens=100) == read


def test_usage_beyond_all_bounds_is_cut_to_a_number_that_metrics_and_money_can_hold() -> None:
    usage = {
        "prompt_tokens": 10**400,
        "completion_tokens": 10**400,
        "prompt_tokens_details": {"cached_tokens": 10**400},
    }
    read = read_answer(answer(usage=usage), estimated_input_tokens=0)
    assert max(read.input_tokens, read.output_tokens, read.cached_input_tokens) == 2**31 - 1


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 4}])
def test_without_reported_usage_it_is_estimated_from_characters(usage: Any) -> None:
    read = read_answer(answer(usage=usage), estimated_input_tokens=100)
    assert read == Usage(input_tokens=100, output_tokens=2, estimated=True)


@pytest.mark.parametrize(
    ("choices", "output_tokens"),
    [
        ([], 0),
        (said(content=""), 0),
        (said(content="12345"), 2),
        (said(content="1234", reasoning_content="1234"), 2),
        (said(tool_calls=[1, 2]), 2),
        (said(tool_calls=None), 0),
        (said(content=[{"a": 1}]), 2),
        ([*said(content="1234"), *said(content="1234")], 2),
        ([{"index": 0}], 0),
    ],
)
def test_everything_a_model_wrote_counts_in_an_estimate(choices: list[dict[str, Any]], output_tokens: int) -> None:
    assert read_answer(answer(choices=choices), estimated_input_tokens=0).output_tokens == output_tokens


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "answer_not_understood"),
        (b"<html>", "answer_not_understood"),
        (b"[]", "answer_not_understood"),
        (b'{"choices":"\xff"}', "answer_not_understood"),
        (b"[" * 100_000, "answer_not_understood"),
        (b'{"choices":[{"message":{"content":"\xff"}}]}', "answer_not_understood"),
        (b"{}", "answer_without_choices"),
        (b'{"choices":null}', "answer_without_choices"),
        (b'{"error":{"message":"no"}}', "error_in_success"),
        (b'{"error":"no","choices":[]}', "error_in_success"),
    ],
)
def test_a_success_that_is_none_is_named(body: bytes, error: str) -> None:
    with pytest.raises(BadAnswer) as raised:
        read_answer(body, estimated_input_tokens=0)
    assert raised.value.error == error


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"rate_limit_exceeded","type":"requests","message":"m"}}', "rate_limit_exceeded"),
        (b'{"error":{"code":null,"type":"server_error"}}', "server_error"),
        (b'{"error":{"code":429}}', "429"),
        (b'{"error":{}}', None),
        (b'{"error":"nope"}', None),
        (b'{"detail":"nope"}', None),
        (b"<html>", None),
        (b"[" * 100_000, None),
        (b'{"error":{"code":"\xff"}}', None),
        (b"", None),
    ],
)
def test_the_code_of_an_error_body_is_its_code_or_else_its_type(body: bytes, code: str | None) -> None:
    assert error_code(body) == code


# ------------------------------------------------------------------------------------------------ streams


def chunk(content: str | None = None, finish: str | None = None, **fields: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({"choices": choices, "usage": None} | fields).encode()


def reader(*, strip_usage: bool = True) -> StreamReader:
    return StreamReader(strip_usage=strip_usage, estimated_input_tokens=7)


def test_a_stream_is_finished_at_a_finish_reason_and_done_at_done() -> None:
    read, states = reader(), []
    for data in (chunk("hello"), chunk(finish="stop"), b"[DONE]"):
        assert read.passes(data)
        states.append((read.finished, read.done))
    assert states == [(False, False), (True, False), (True, True)]


def test_done_is_the_end_of_an_answer_and_never_an_answer() -> None:
    with pytest.raises(BadAnswer, match="empty_stream"):
        reader().passes(b"[DONE]")


@pytest.mark.parametrize(
    ("fields", "strip", "passes"),
    [
        ({"choices": [], "usage": USAGE}, True, False),
        ({"choices": [], "usage": USAGE}, False, True),
        ({"choices": None, "usage": USAGE}, True, False),
        ({"usage": USAGE}, True, True),
        ({"choices": [], "usage": None}, True, True),
        ({"choices": [], "prompt_filter_results": []}, True, True),
        ({"choices": [], "usage": {}}, True, True),
    ],
)
def test_only_a_chunk_of_nothing_but_usage_is_kept_from_a_client_that_did_not_ask(
    fields: dict[str, Any], strip: bool, passes: bool
) -> None:
    assert reader(strip_usage=strip).passes(chunk(**fields)) is passes


def test_of_usage_that_is_reported_along_the_way_the_last_counts() -> None:
    read = reader()
    read.passes(chunk("a", usage={"prompt_tokens": 9, "completion_tokens": 1}))
    read.passes(chunk("b", usage=USAGE))
    assert read.usage == REPORTED


def test_until_usage_is_reported_it_is_estimated_from_what_has_passed() -> None:
    read = reader()
    assert read.usage == Usage(input_tokens=7, estimated=True)
    read.passes(chunk("12345"))
    read.passes(chunk("678"))
    assert read.usage == Usage(input_tokens=7, output_tokens=2, estimated=True)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"error":{"message":"no"}}', "error_event"),
        (b'{"error":"no"}', "error_event"),
        (b"not json", "event_not_understood"),
        (b"", "event_not_understood"),
        (b'{"choices":[{"delta":{"content":"\xff"}}]}', "event_not_understood"),
        (b"[" * 100_000, "event_not_understood"),
    ],
)
def test_an_event_that_is_no_part_of_an_answer_is_named(data: bytes, error: str) -> None:
    with pytest.raises(BadAnswer) as raised:
        reader().passes(data)
    assert raised.value.error == error
