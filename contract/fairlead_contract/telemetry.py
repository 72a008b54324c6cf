"""The event ``routeiq.router_decision.v1``: what training pipelines read of a decision.

Exactly the fields of the published contract, made from a decision record by a pure function. No text of a prompt or an
answer is in it; users are keyed hashes. Readers find it as a span event or as a log event of OpenTelemetry, in both cases
as JSON under :data:`PAYLOAD_KEY`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID, uuid5

import msgspec

from fairlead_contract.decision import Attempt, CacheResult, Candidate, DecisionRecord, Outcome

CONTRACT_VERSION: Final = "v1"
CONTRACT_NAME: Final = "routeiq.router_decision.v1"
EVENT_NAME = CONTRACT_NAME
PAYLOAD_KEY = "routeiq.router_decision.payload"

NO_TRACE, NO_SPAN = "0" * 32, "0" * 16
"""What W3C Trace Context and OpenTelemetry write where there is no trace."""

_EVENTS = UUID("5d5f0bd2-2f0b-5f3c-9d4e-6c0f4e1f7a11")
"""Namespace of event ids: the same decision always has the same event id, so that a reader can drop duplicates."""

TraceId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
SpanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class DecisionStatus(StrEnum):
    """How a decision worked out."""

    SUCCESS = "success"
    FAILURE = "failure"
    """A provider failed, or cut its answer short."""
    FALLBACK = "fallback"
    """Answered, by another model than the one decided on."""
    ERROR = "error"
    """The request was refused, the client hung up, or the router failed."""
    NO_CANDIDATES = "no_candidates"
    TIMEOUT = "timeout"


class DecisionInput(_Part, frozen=True):
    """What was asked."""

    query_length: Count
    """Characters of all messages."""
    requested_model: str | None
    user_id: str | None
    """A keyed hash."""
    team_id: str | None
    """The namespace that owns the workspace."""


class CandidateDeployment(_Part, frozen=True):
    """One model that could have been chosen."""

    model_name: str
    provider: str
    score: float
    """Predicted quality where a predictor ran, else the probability of being tried first."""
    available: bool
    """False: a constraint, a breaker or its weight removed it."""


class DecisionTimings(_Part, frozen=True):
    """Times of the decision alone, without the provider's."""

    total_ms: Milliseconds
    """From the whole request to the decision."""
    strategy_ms: Milliseconds
    """Removing candidates and ranking those that are left."""
    embedding_ms: Milliseconds
    """Classifying; zero when no policy needed it."""


class DecisionOutcome(_Part, frozen=True):
    """How it ended."""

    status: DecisionStatus
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count


class DecisionFallback(_Part, frozen=True):
    """Whether another model than the one decided on was tried, and why."""

    fallback_triggered: bool
    original_model: str | None
    fallback_reason: str | None


class RouterDecisionEvent(_Part, frozen=True):
    """See the module."""

    contract_version: Literal["v1"]
    contract_name: Literal["routeiq.router_decision.v1"]
    event_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    trace_id: TraceId
    span_id: SpanId
    timestamp_utc: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    """When the request arrived."""
    timestamp_unix_ms: Count
    input: DecisionInput
    strategy_name: str
    strategy_version: str | None
    """Digest of the model bundle that decided, where one did."""
    candidate_deployments: tuple[CandidateDeployment, ...]
    selected_deployment: str | None
    """The ``model_name`` that answered or was tried last; with the provider before it where two candidates share a name."""
    selection_reason: str
    timings: DecisionTimings
    outcome: DecisionOutcome
    fallback: DecisionFallback


def router_decision_event(record: DecisionRecord) -> RouterDecisionEvent:
    """The event of one decision."""
    first, reason = _fallen_back_from(record)
    named = _names(record)
    milliseconds = record.time // 1000
    usage, stages = record.usage, record.stages
    classified = 0 if record.classification is None else record.classification.microseconds
    return RouterDecisionEvent(
        contract_version=CONTRACT_VERSION,
        contract_name=CONTRACT_NAME,
        event_id=str(uuid5(_EVENTS, record.id)),
        trace_id=record.trace_id or NO_TRACE,
        span_id=record.span_id or NO_SPAN,
        timestamp_utc=_timestamp(milliseconds),
        timestamp_unix_ms=milliseconds,
        input=DecisionInput(
            query_length=record.facts.content_length_characters,
            requested_model=record.facts.requested_model or None,
            user_id=record.facts.user_hash,
            team_id=record.facts.namespace,
        ),
        strategy_name=record.strategy or "Direct",
        strategy_version=record.bundles[0] if record.bundles else None,
        candidate_deployments=tuple(_deployment(each, named) for each in record.candidates),
        selected_deployment=None if record.chosen is None else named.get(record.chosen, _split(record.chosen)[1]),
        selection_reason=_reason(record, fallen_back=first is not None),
        timings=DecisionTimings(
            total_ms=0.0 if stages is None else (stages.selected_microseconds - stages.received_microseconds) / 1000,
            strategy_ms=0.0 if stages is None else (stages.selected_microseconds - stages.matched_microseconds) / 1000,
            embedding_ms=classified / 1000,
        ),
        outcome=DecisionOutcome(
            status=_status(record, fallen_back=first is not None),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        ),
        fallback=DecisionFallback(
            fallback_triggered=first is not None,
            original_model=None if first is None else named.get(first, _split(first)[1]),
            fallback_reason=reason,
        ),
    )


def encode_event(event: RouterDecisionEvent) -> str:
    """JSON, as it stands under :data:`PAYLOAD_KEY`."""
    return msgspec.json.encode(event).decode()


def _status(record: DecisionRecord, *, fallen_back: bool) -> DecisionStatus:
    match record.outcome:
        case Outcome.SUCCEEDED:
            return DecisionStatus.FALLBACK if fallen_back else DecisionStatus.SUCCESS
        case Outcome.TIMED_OUT:
            return DecisionStatus.TIMEOUT
        case Outcome.FAILED | Outcome.RATE_LIMITED | Outcome.TRUNCATED if record.attempts:
            return DecisionStatus.FAILURE
        case _ if not record.attempts and record.candidates and not record.plan:
            return DecisionStatus.NO_CANDIDATES
        case _:
            return DecisionStatus.ERROR


def _reason(record: DecisionRecord, *, fallen_back: bool) -> str:
    """One of a few fixed words, or the strategy's name in snake case."""
    if record.chosen is None:
        return "none"
    if _given_again(record):
        return "cache"
    if fallen_back:
        return "fallback"
    if record.policy is None:
        return "requested_by_name"
    if record.affinity == record.chosen:
        return "affinity"
    if record.canary is not None and record.canary.assigned and record.canary.model == record.chosen:
        return "canary"
    if record.experiment is not None:
        return "experiment"
    if sum(each.removed is None and each.role != "Fallback" for each in record.candidates) == 1:
        return "only_candidate"
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in record.strategy or "").lstrip("_")


def _given_again(record: DecisionRecord) -> bool:
    """Whether the answer was kept from an earlier request, whose model need not be the one decided on now."""
    shared = record.cache is not None and record.cache.result in {CacheResult.HIT, CacheResult.SHARED}
    return shared or record.idempotent_replay


def _fallen_back_from(record: DecisionRecord) -> tuple[str | None, str | None]:
    """The model decided on and why another was tried; nothing if none was."""
    if record.chosen is None or _given_again(record):
        return None, None
    intended = record.plan[0] if record.plan else None
    if intended is None:
        target = next((each for each in record.candidates if each.role != "Fallback"), None)
        if target is None or target.model == record.chosen:
            return None, None
        return target.model, None if target.removed is None else target.removed.by.value
    if intended == record.chosen:
        return None, None
    failed: Attempt | None = next((each for each in reversed(record.attempts) if each.model != record.chosen), None)
    return intended, None if failed is None else failed.cause or failed.error


def _deployment(candidate: Candidate, named: dict[str, str]) -> CandidateDeployment:
    provider, model = _split(candidate.model)
    predicted = candidate.predicted
    quality = None if predicted is None else predicted.quality
    return CandidateDeployment(
        model_name=named.get(candidate.model, model),
        provider=provider,
        score=candidate.probability if quality is None else quality,
        available=candidate.removed is None,
    )


def _names(record: DecisionRecord) -> dict[str, str]:
    """By key, how a candidate is named: by its model, or where several share that, by provider and model."""
    keys = {each.model for each in record.candidates}
    models = [_split(key)[1] for key in keys]
    return {
        key: model if models.count(model) == 1 else f"{provider}/{model}"
        for key, (provider, model) in ((key, _split(key)) for key in keys)
    }


def _split(key: str) -> tuple[str, str]:
    """Provider and model of ``namespace/provider/model``."""
    _, _, rest = key.partition("/")
    provider, _, model = rest.partition("/")
    return provider, model


def _timestamp(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
