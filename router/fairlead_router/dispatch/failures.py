"""What a failed attempt means: for the breaker, for trying again, for fallbacks, for the client. Pure.

Sources: OpenAI's error codes. ``insufficient_quota`` is a 429 that waiting does not mend; ``slow_down`` (429),
``server_is_overloaded`` (503) and Anthropic's status 529 ask for longer waits than an ordinary failure.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    overloaded: bool = False
    """The provider has too much to do: tries that follow soon would only add to it."""


_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_OVERLOADED_CODES = frozenset({"slow_down", "server_is_overloaded", "overloaded", "overloaded_error"})
_CONTENT_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})


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
    overloaded = status == 529 or code in _OVERLOADED_CODES
    if status == 429:
        error = "slow_down" if overloaded else "rate_limited"
        return Failure(
            Outcome.RATE_LIMITED, "RateLimited", error, Blame.WAIT, "RateLimited", retry_after, status, overloaded
        )
    if status == 408:
        return Failure(Outcome.TIMED_OUT, "Timeout", "timeout_status", Blame.PROVIDER, "Timeout", retry_after, status)
    if status >= 500:
        error = "overloaded" if overloaded else "server_error"
        return Failure(Outcome.FAILED, "Error", error, Blame.PROVIDER, "ServerError", retry_after, status, overloaded)
    if status in {401, 402, 403}:
        return Failure(Outcome.FAILED, "Error", "credential_refused", Blame.PROVIDER, status=status)
    if status == 404:
        return Failure(Outcome.FAILED, "Error", "not_found_upstream", Blame.PROVIDER, status=status)
    if status < 400:
        return Failure(Outcome.FAILED, "Error", "redirect_refused", Blame.PROVIDER, status=status)
    return Failure(Outcome.REFUSED, None, "request_refused", Blame.NOBODY, status=status)
