"""What a provider's refusal means, and how long it asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead_contract.decision import Outcome
from fairlead_router.dispatch.failures import (
    Blame,
    Failure,
    answered,
    bad_answer,
    no_money,
    not_reached,
    retry_after_seconds,
    timed_out,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "milliseconds", "seconds"),
    [
        (None, None, None),
        ("30", None, 30.0),
        (" 30 ", None, 30.0),
        ("1.5", None, 1.5),
        ("0", None, 0.0),
        (None, "1500", 1.5),
        ("30", "1500", 1.5),
        ("30", "soon", 30.0),
        ("30", "-1", 30.0),
        ("-1", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("1e999", None, None),
        ("", None, None),
        ("soon", None, None),
        (None, "", None),
        (date(90), None, 90.0),
        (date(-90), None, 0.0),
        (date(90).replace("GMT", "-0000"), None, 90.0),
        (date(90).replace("GMT", "+0100"), None, 0.0),
        (date(90).replace("2026", "9" * 30), None, None),
        (date(90).replace("Mar", "Foo"), None, None),
    ],
)
def test_every_form_of_retry_after_is_read_and_garbage_is_none(
    header: str | None, milliseconds: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, milliseconds, now=NOW.timestamp()) == seconds


@example("Sun, 01 Mar 99999999999999999999 12:00:00 GMT")
@given(st.text("0123456789:,-+. GMTSunMar\xb2\u0663", max_size=40))
def test_whatever_a_provider_sends_the_wait_is_a_number_that_can_be_waited_or_none(text: str) -> None:
    for found in (retry_after_seconds(text, None, now=0.0), retry_after_seconds(None, text, now=0.0)):
        assert found is None or 0 <= found < float("inf")


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
        (503, "overloaded", FAILED, "Error", PROVIDER, "ServerError", "server_error"),
        (529, None, FAILED, "Error", PROVIDER, "ServerError", "server_error"),
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
