"""What a provider's refusal means."""

from __future__ import annotations

import pytest

from fairlead_contract.decision import Outcome
from fairlead_router.dispatch.failures import (
    Blame,
    Failure,
    answered,
    bad_answer,
    no_money,
    not_reached,
    timed_out,
)


def meaning(failure: Failure) -> tuple[Outcome, str | None, Blame, str | None]:
    return failure.outcome, failure.cause, failure.blame, failure.retry_on


PROVIDER, WAIT, NOBODY = Blame.PROVIDER, Blame.WAIT, Blame.NOBODY
FAILED, REFUSED, LIMITED, LATE = Outcome.FAILED, Outcome.REFUSED, Outcome.RATE_LIMITED, Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("status", "code", "outcome", "cause", "blame", "retry_on", "error"),
    [
        (400, None, REFUSED, None, NOBODY, None, "request_refused"),
        (422, "bad", REFUSED, None, NOBODY, None, "request_refused"),
        (413, None, REFUSED, None, NOBODY, None, "request_refused"),
        (400, "context_length_exceeded", REFUSED, "ContextWindow", NOBODY, None, "context_length_exceeded"),
        (400, "string_above_max_length", REFUSED, "ContextWindow", NOBODY, None, "context_length_exceeded"),
        (400, "content_filter", REFUSED, "ContentPolicy", NOBODY, None, "content_policy"),
        (400, "content_policy_violation", REFUSED, "ContentPolicy", NOBODY, None, "content_policy"),
        (400, "ResponsibleAIPolicyViolation", REFUSED, "ContentPolicy", NOBODY, None, "content_policy"),
        (401, None, FAILED, "Error", PROVIDER, None, "credential_refused"),
        (403, None, FAILED, "Error", PROVIDER, None, "credential_refused"),
        (404, None, FAILED, "Error", PROVIDER, None, "not_found_upstream"),
        (408, None, LATE, "Timeout", PROVIDER, "Timeout", "timeout_status"),
        (429, None, LIMITED, "RateLimited", WAIT, "RateLimited", "rate_limited"),
        (429, "rate_limit_exceeded", LIMITED, "RateLimited", WAIT, "RateLimited", "rate_limited"),
        (429, "insufficient_quota", LIMITED, "RateLimited", PROVIDER, None, "insufficient_quota"),
        (500, None, FAILED, "Error", PROVIDER, "ServerError", "server_error"),
        (429, "slow_down", LIMITED, "RateLimited", WAIT, "RateLimited", "slow_down"),
        (503, "overloaded", FAILED, "Error", PROVIDER, "ServerError", "overloaded"),
        (503, "server_is_overloaded", FAILED, "Error", PROVIDER, "ServerError", "overloaded"),
        (529, None, FAILED, "Error", PROVIDER, "ServerError", "overloaded"),
        (302, None, FAILED, "Error", PROVIDER, None, "redirect_refused"),
    ],
)
def test_a_status_and_a_code_mean_one_thing_to_breaker_retry_fallback_and_client(
    status: int,
    code: str | None,
    outcome: Outcome,
    cause: str | None,
    blame: Blame,
    retry_on: str | None,
    error: str,
) -> None:
    failure = answered(status, code, 5.0)
    assert meaning(failure) == (outcome, cause, blame, retry_on)
    assert (failure.error, failure.status) == (error, status)
    assert failure.overloaded is (error in {"slow_down", "overloaded"})


@pytest.mark.parametrize(("status", "kept"), [(429, 5.0), (503, 5.0), (408, 5.0), (400, None), (401, None)])
def test_a_wait_is_kept_only_where_waiting_may_help(status: int, kept: float | None) -> None:
    assert answered(status, None, 5.0).retry_after_seconds == kept


@pytest.mark.parametrize(
    ("failure", "outcome", "cause", "blame", "retry_on"),
    [
        (not_reached("connect_failed", connected=False), FAILED, "Error", PROVIDER, "ConnectFailure"),
        (not_reached("answer_cut", connected=True), FAILED, "Error", PROVIDER, "ServerError"),
        (timed_out("first_byte_timeout"), LATE, "Timeout", PROVIDER, "Timeout"),
        (bad_answer("empty_stream"), FAILED, "Error", PROVIDER, "ServerError"),
        (no_money(), REFUSED, None, NOBODY, None),
    ],
)
def test_failures_without_a_refusal_mean_one_thing_too(
    failure: Failure, outcome: Outcome, cause: str | None, blame: Blame, retry_on: str | None
) -> None:
    assert meaning(failure) == (outcome, cause, blame, retry_on)
