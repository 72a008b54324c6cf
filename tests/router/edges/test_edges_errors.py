"""Everything the router says to a client that is no success."""

from __future__ import annotations

import json

import pytest

from fairlead_router import errors
from fairlead_router.dialect.openai_error import openai_error_body
from fairlead_router.errors import RouterError

EVERY = [
    (errors.invalid_request("m", param="p"), 400, "invalid_request_error", "invalid_request"),
    (errors.unauthenticated("m"), 401, "authentication_error", "invalid_api_key"),
    (errors.model_not_found("x", "ws"), 404, "invalid_request_error", "model_not_found"),
    (errors.unknown_url("GET", "/x"), 404, "invalid_request_error", "unknown_url"),
    (errors.decision_not_kept("d-1", 5), 404, "not_found", "not_found"),
    (errors.method_not_allowed("/x", "POST", "GET"), 405, "invalid_request_error", "method_not_allowed"),
    (errors.model_ambiguous("x", ["a/x", "b/x"]), 409, "invalid_request_error", "model_ambiguous"),
    (errors.too_large(10), 413, "invalid_request_error", "request_too_large"),
    (errors.idempotency_key_reused(), 422, "invalid_request_error", "idempotency_key_reused"),
    (errors.repeated_while_running(1), 409, "conflict_error", "idempotency_key_in_use"),
    (errors.repeated_answer_not_kept(), 409, "conflict_error", "idempotent_answer_not_kept"),
    (errors.overloaded(10, 0, 1.0), 503, "service_unavailable_error", "router_overloaded"),
    (errors.not_ready(), 503, "service_unavailable_error", "not_ready"),
    (errors.no_policy("ws"), 503, "service_unavailable_error", "no_policy"),
    (errors.no_candidate("p", "why"), 503, "service_unavailable_error", "no_candidate"),
    (errors.operation_not_supported("why"), 400, "invalid_request_error", "operation_not_supported"),
    (errors.context_length_exceeded("why"), 400, "invalid_request_error", "context_length_exceeded"),
    (errors.budget_exceeded("m", 5), 429, "insufficient_quota", "budget_exceeded"),
    (errors.upstream_failed("m"), 502, "server_error", "upstream_error"),
    (errors.upstream_timed_out("m"), 504, "server_error", "upstream_timeout"),
    (errors.upstream_rate_limited("m", 5), 429, "rate_limit_error", "upstream_rate_limited"),
    (errors.upstream_cut("m"), 502, "server_error", "upstream_stream_interrupted"),
    (errors.internal("d-1"), 500, "server_error", "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "kind", "code"), EVERY, ids=[each[3] for each in EVERY])
def test_every_error_has_one_status_one_type_one_code_and_the_shape_of_openai(
    error: RouterError, status: int, kind: str, code: str
) -> None:
    assert error.status == status
    assert json.loads(openai_error_body(error)) == {
        "error": {"message": error.message, "type": kind, "param": error.param, "code": code}
    }
    assert str(error) == error.message


def test_no_two_errors_share_a_code() -> None:
    codes = [code for _, _, _, code in EVERY]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.model_not_found("x", "ws"), ["'x'", "'ws'", "GET /v1/models"]),
        (errors.model_ambiguous("x", ["a/x", "b/x"]), ["a/x, b/x"]),
        (errors.no_policy("ws"), ["'ws'", "/api/routing/test"]),
        (errors.internal("d-1"), ["d-1"]),
        (errors.too_large(10), ["10 bytes"]),
    ],
)
def test_an_error_says_what_where_and_what_to_do_next(error: RouterError, words: list[str]) -> None:
    assert all(word in error.message for word in words)
