"""The course of a dispatch: who comes next, and what the client is told when nobody is left. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_contract.decision import Outcome, RemovedBy
from fairlead_contract.fragments import Cause
from fairlead_router.config.table import ModelEntry, PolicyEntry
from fairlead_router.dispatch.answers import Failed
from fairlead_router.dispatch.job import Job
from fairlead_router.errors import (
    RouterError,
    context_length_exceeded,
    no_candidate,
    operation_not_supported,
    upstream_failed,
    upstream_rate_limited,
    upstream_timed_out,
)
from fairlead_router.select.selection import PlannedFallback, Selection


def next_target(waiting: list[ModelEntry], standing_by: list[PlannedFallback], causes: set[Cause]) -> ModelEntry | None:
    """Take the next of the plan, or else the first fallback for one of ``causes``."""
    if waiting:
        return waiting.pop(0)
    for place, fallback in enumerate(standing_by):
        if causes & fallback.causes:
            return standing_by.pop(place).entry
    return None


def opening_causes(selection: Selection) -> set[Cause]:
    """Which fallbacks open before anything was tried, because nothing of the plan is left."""
    if selection.plan:
        return set()
    removed = {candidate.removed.by for candidate in selection.candidates if candidate.removed is not None}
    causes: set[Cause] = set()
    if RemovedBy.CONTEXT_WINDOW in removed:
        causes.add("ContextWindow")
    if removed & {RemovedBy.CIRCUIT_BREAKER, RemovedBy.HEALTH}:
        causes.add("Error")
    return causes


def nothing_to_try(selection: Selection, policy: PolicyEntry | None) -> RouterError:
    """What the client is told when no model could be tried at all."""
    removals = [(each.model, each.removed) for each in selection.candidates if each.removed is not None]
    text = "; ".join(f"{model}: {removed.message}" for model, removed in removals[:5])
    reasons = {removed.by for _, removed in removals}
    if reasons == {RemovedBy.CONTEXT_WINDOW}:
        return context_length_exceeded(text)
    if reasons == {RemovedBy.REQUEST_TYPE}:
        return operation_not_supported(f"{_subject(policy)} does not answer such requests: {text}")
    return no_candidate(_subject(policy), text or "its circuit breakers are open; try again shortly")


def _subject(policy: PolicyEntry | None) -> str:
    return "the model called by name" if policy is None else f"RoutingPolicy {policy.fragment.key}"


def final_error(job: Job, last: Failed | None) -> RouterError:
    """What the client is told after the ``last`` failure; ``None``: no attempt was made."""
    if last is None:
        return nothing_to_try(job.selection, job.policy)
    if last.error is not None:
        return last.error
    tries = "; ".join(
        f"{attempt.model}: {attempt.error}" + (f" ({attempt.status})" if attempt.status else "")
        for attempt in job.attempts[-5:]
    )
    message = f"{len(job.attempts)} attempt(s) of {_subject(job.policy)} failed: {tries or last.failure.error}"
    if any(attempt.error == "address_refused" for attempt in job.attempts):
        message += "; routers connect to loopback and metadata addresses only if --allow-networks lists them"
    if last.failure.outcome is Outcome.TIMED_OUT:
        return upstream_timed_out(message)
    if last.failure.outcome is Outcome.RATE_LIMITED:
        return upstream_rate_limited(message, last.failure.retry_after_seconds)
    return upstream_failed(message)


def with_larger_window(waiting: Sequence[ModelEntry], than: ModelEntry) -> list[ModelEntry]:
    """Of ``waiting``, who may take what did not fit ``than``: those that declare a larger context window."""
    window = than.model.context_window_tokens
    if window is None:
        return []
    return [entry for entry in waiting if (entry.model.context_window_tokens or 0) > window]
