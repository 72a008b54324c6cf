"""Explains what would become of a request, without sending it anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from multidict import CIMultiDict

from fairlead_contract.decision import (
    CanaryAssignment,
    Candidate,
    Classification,
    Draw,
    Facts,
    PolicyUsed,
    SnapshotUsed,
    StateRead,
)
from fairlead_router.cache.question import CacheQuestion
from fairlead_router.config.table import PolicyEntry, Table
from fairlead_router.dialect.operations import CHAT, EMBEDDING, OPERATIONS, Operation
from fairlead_router.dispatch.course import nothing_to_try, opening_causes
from fairlead_router.errors import RouterError, invalid_request
from fairlead_router.explain.policies import PolicyConsidered, consider
from fairlead_router.match.match import decided
from fairlead_router.pipeline import Pipeline


class _Question(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Either a whole request under ``request``, or the short form of the service document with a ``prompt``."""

    request: msgspec.Raw = msgspec.Raw(b"null")  # Not ``Raw | None``: msgspec would accept nothing but null there.
    headers: dict[str, str] = {}
    workspace_id: str | None = None
    agent_type: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    user_tier: str | None = None
    prompt: str | None = None
    model: str | None = None
    request_type: str | None = None
    decision_id: str | None = None
    """Draw as if the request had this id; otherwise a new one is made."""


class _Kind(msgspec.Struct):
    """Fields by which a request is known that comes as it would be sent."""

    messages: msgspec.Raw = msgspec.Raw(b"")
    input: msgspec.Raw = msgspec.Raw(b"")


_QUESTION = msgspec.json.Decoder(_Question)
_KIND = msgspec.json.Decoder(_Kind)
_OPERATIONS = {operation.type.lower(): operation for operation in OPERATIONS.values()}


class Explanation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything that would lead to the answer."""

    decision_id: str
    snapshot: SnapshotUsed
    facts: Facts
    policies: list[PolicyConsidered]
    classification: Classification | None = None
    """``None``: no policy that could decide needed one."""
    decided_by: PolicyUsed | None = None
    candidates: tuple[Candidate, ...] = ()
    strategy: str | None = None
    canary: CanaryAssignment | None = None
    affinity: str | None = None
    draws: tuple[Draw, ...] = ()
    state: tuple[StateRead, ...] = ()
    plan: tuple[str, ...] = ()
    fallbacks: tuple[dict[str, Any], ...] = ()
    propensity: float | None = None
    panic: bool = False
    cache: CacheQuestion | None = None
    """``None``: the policy has no cache."""
    error: dict[str, Any] | None = None
    """What the client would be told, where no model would be called."""


async def explain_request(pipeline: Pipeline, headers: Mapping[str, str], body: bytes) -> Explanation:
    """Raises ``RouterError`` for a question that is none, or whose asker is not known."""
    flow = pipeline.arrive()
    pipeline.identify(flow, headers)
    question, operation, asked = _read(body)
    stated = _stated(headers, question)
    identity = pipeline.identifier.identify(stated)
    request = operation.parse(asked)
    table = flow.table
    facts = pipeline.facts(table, identity, stated, request)
    if question.user_tier is not None and facts.user_tier is None:
        facts = msgspec.structs.replace(facts, user_tier=question.user_tier)
    decision_id = question.decision_id or flow.id
    survivors, classification = await pipeline.narrow(table, facts, operation, request)
    shown = _shown(table, facts, classification)
    explanation = Explanation(decision_id, table.used, facts, shown, classification)
    try:
        matched = decided(table, facts, survivors)
    except RouterError as error:
        return msgspec.structs.replace(explanation, error=_error(error))
    policy = matched if isinstance(matched, PolicyEntry) else None
    selection = await pipeline.select(table, matched, facts, decision_id)
    causes = opening_causes(selection)
    served = bool(selection.plan) or any(causes & fallback.causes for fallback in selection.fallbacks)
    return msgspec.structs.replace(
        explanation,
        decided_by=None if policy is None else policy.used,
        candidates=selection.candidates,
        strategy=selection.strategy,
        canary=selection.canary,
        affinity=selection.affinity,
        draws=selection.draws,
        state=selection.state,
        plan=tuple(entry.key for entry in selection.plan),
        fallbacks=tuple(
            {"model": fallback.entry.key, "on": sorted(fallback.causes)} for fallback in selection.fallbacks
        ),
        propensity=selection.propensity,
        panic=selection.panic,
        cache=None if pipeline.reuse is None else pipeline.reuse.explain(policy, stated),
        error=None if served else _error(nothing_to_try(selection, policy)),
    )


def _shown(table: Table, facts: Facts, classification: Classification | None) -> list[PolicyConsidered]:
    """All policies; to a caller with a credential only those that may concern its workspace, not other tenants'."""
    considered = consider(table, facts, classification)
    if facts.subject is None:
        return considered
    return [
        each
        for each, policy in zip(considered, table.policies, strict=True)
        if policy.fragment.platform or policy.fragment.namespace == facts.namespace
    ]


def _read(body: bytes) -> tuple[_Question, Operation, bytes]:
    """The question, and the request that it is about."""
    try:
        kind = _KIND.decode(body)
        if bytes(kind.messages):
            return _Question(), CHAT, body
        if bytes(kind.input):
            return _Question(), EMBEDDING, body
        question = _QUESTION.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_request(f"this is no question about a request: {error}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid_request(f"the request body is not valid JSON: {error}", code="invalid_json") from error
    operation = CHAT if question.request_type is None else _OPERATIONS.get(question.request_type.lower())
    if operation is None:
        known = ", ".join(each.type for each in OPERATIONS.values())
        raise invalid_request(f"'requestType' is one of {known}", param="requestType")
    request = bytes(question.request)
    if request != b"null":
        if question.prompt is not None or question.model is not None:
            raise invalid_request("'prompt' and 'model' belong to the short form; leave them out beside 'request'")
        return question, operation, request
    if question.prompt is None:
        raise invalid_request(
            "send a request as it would be sent, or one under 'request', or the short form with a 'prompt'",
            param="prompt",
        )
    return question, operation, _short_form(operation, question.model or "auto", question.prompt)


def _short_form(operation: Operation, model: str, prompt: str) -> bytes:
    text: dict[str, Any] = {"prompt": prompt}
    if operation is CHAT:
        text = {"messages": [{"role": "user", "content": prompt}]}
    elif operation is EMBEDDING:
        text = {"input": prompt}
    return msgspec.json.encode({"model": model, **text})


def _stated(headers: Mapping[str, str], question: _Question) -> CIMultiDict[str]:
    """The headers the request would have; the asker's own credential stays."""
    stated = CIMultiDict(headers)
    stated.update(question.headers)
    for name, value in (
        ("x-fairlead-workspace", question.workspace_id),
        ("x-fairlead-agent-type", question.agent_type),
        ("x-fairlead-user", question.user_id),
        ("x-fairlead-session", question.session_id),
    ):
        if value is not None:
            stated[name] = value
    if "authorization" in headers:
        stated["authorization"] = headers["authorization"]
    return stated


def _error(error: RouterError) -> dict[str, Any]:
    return {"status": error.status, "type": error.type, "code": error.code, "message": error.message}
