"""What a failed attempt means: for the breaker, for trying again, for fallbacks, for the client. Pure.

Sources: OpenAI's error codes (``insufficient_quota`` is a 429 that waiting does not mend), RFC 9110 for Retry-After, and
the millisecond variants that OpenAI and Azure send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from fairlead_contract.decision import Outcome
from fairlead_contract.fragments import Cause, RetryCondition

CLIENT_CLOSED = "client_closed_request"
"""The error of an attempt, and of a request, whose client hung up."""


class Blame(Enum):
    """What the breaker hears."""

    PROVIDER = auto()
    WAIT = auto()
    """The provider works and asks for a pause."""
    NOBODY = auto()
    """The request is at fault; it says nothing about the provider."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, understood."""

    outcome: Outcome
    cause: Cause | None
    """Which fallbacks it opens; ``None``: none, the provider's refusal goes to the client as it is."""
    error: str
    """A short word of ours."""
    blame: Blame
    retry_on: RetryCondition | None = None
    """The condition under which the same target may be tried again; ``None``: never."""
    retry_after_seconds: float | None = None
    status: int | None = None


_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_CONTENT_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})


def retry_after_seconds(header: str | None, milliseconds: str | None, *, now: float) -> float | None:
    """Seconds to wait from the header's forms: milliseconds, delta-seconds or an HTTP date; ``None`` if there is none."""
    for text, scale in ((milliseconds, 1000.0), (header, 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) / scale
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now)


def not_reached(error: str, *, connected: bool) -> Failure:
    """The connection failed or broke before an answer."""
    if error == "address_refused":
        return Failure(Outcome.FAILED, "Error", error, Blame.PROVIDER)
    return Failure(
        Outcome.FAILED, "Error", error, Blame.PROVIDER, retry_on="ServerError" if connected else "ConnectFailure"
    )


def timed_out(error: str) -> Failure:
    """The provider was too slow."""
    return Failure(Outcome.TIMED_OUT, "Timeout", error, Blame.PROVIDER, retry_on="Timeout")


def bad_answer(error: str) -> Failure:
    """A success that is none: garbage, an error in disguise, an empty stream."""
    return Failure(Outcome.FAILED, "Error", error, Blame.PROVIDER, retry_on="ServerError", status=200)


def no_money() -> Failure:
    """The attempt was never made: its budget has no room."""
    return Failure(Outcome.REFUSED, None, "budget_exceeded", Blame.NOBODY)


def answered(status: int, code: str | None, retry_after: float | None) -> Failure:
    """A status that is not success."""
    if code in _CONTEXT_CODES:
        return Failure(Outcome.REFUSED, "ContextWindow", "context_length_exceeded", Blame.NOBODY, status=status)
    if code in _CONTENT_CODES:
        return Failure(Outcome.REFUSED, "ContentPolicy", "content_policy", Blame.NOBODY, status=status)
    if status == 429 and code == "insufficient_quota":
        return Failure(Outcome.RATE_LIMITED, "RateLimited", "insufficient_quota", Blame.PROVIDER, status=status)
    if status == 429:
        return Failure(
            Outcome.RATE_LIMITED, "RateLimited", "rate_limited", Blame.WAIT, "RateLimited", retry_after, status
        )
    if status == 408:
        return Failure(Outcome.TIMED_OUT, "Timeout", "timeout_status", Blame.PROVIDER, "Timeout", retry_after, status)
    if status >= 500:
        return Failure(Outcome.FAILED, "Error", "server_error", Blame.PROVIDER, "ServerError", retry_after, status)
    if status in {401, 402, 403}:
        return Failure(Outcome.FAILED, "Error", "credential_refused", Blame.PROVIDER, status=status)
    if status == 404:
        return Failure(Outcome.FAILED, "Error", "not_found_upstream", Blame.PROVIDER, status=status)
    if status < 400:
        return Failure(Outcome.FAILED, "Error", "redirect_refused", Blame.PROVIDER, status=status)
    return Failure(Outcome.REFUSED, None, "request_refused", Blame.NOBODY, status=status)
