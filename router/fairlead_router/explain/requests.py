"""Explains what would become of a request, without sending it anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from multidict import CIMultiDict

from fairlead_contract.decision import CanaryAssignment, Candidate, Draw, Facts, PolicyUsed, SnapshotUsed, StateRead
from fairlead_router.config.table import PolicyEntry, Table
from fairlead_router.dialect.openai_request import parse_chat_request
from fairlead_router.dispatch.course import nothing_to_try, opening_causes
from fairlead_router.errors import RouterError, invalid_request
from fairlead_router.explain.policies import PolicyConsidered, consider
from fairlead_router.pipeline import Pipeline, match


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


class _IsChat(msgspec.Struct):
    messages: msgspec.Raw = msgspec.Raw(b"")


_QUESTION = msgspec.json.Decoder(_Question)
_IS_CHAT = msgspec.json.Decoder(_IsChat)
_REQUEST_TYPES = {name.lower(): name for name in ("Chat", "Completion", "Embedding", "Response", "Message")}


class Explanation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything that would lead to the answer."""

    decision_id: str
    snapshot: SnapshotUsed
    facts: Facts
    policies: list[PolicyConsidered]
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
    error: dict[str, Any] | None = None
    """What the client would be told, where no model would be called."""


async def explain_request(pipeline: Pipeline, headers: Mapping[str, str], body: bytes) -> Explanation:
    """Raises ``RouterError`` for a question that is none, or whose asker is not known."""
    flow = pipeline.arrive()
    pipeline.identify(flow, headers)
    question, chat = _read(body)
    stated = _stated(headers, question)
    identity = pipeline.identifier.identify(stated)
    request = parse_chat_request(chat)
    table = flow.table
    facts = pipeline.facts(table, identity, stated, request)
    if question.user_tier is not None and facts.user_tier is None:
        facts = msgspec.structs.replace(facts, user_tier=question.user_tier)
    if question.request_type is not None:
        known = _REQUEST_TYPES.get(question.request_type.lower())
        if known is None:
            raise invalid_request(f"'requestType' is one of {', '.join(_REQUEST_TYPES.values())}", param="requestType")
        facts = msgspec.structs.replace(facts, request_type=known)
    decision_id = question.decision_id or flow.id
    explanation = Explanation(decision_id, table.used, facts, _shown(table, facts))
    try:
        matched = match(table, facts)
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
        error=None if served else _error(nothing_to_try(selection, policy)),
    )


def _shown(table: Table, facts: Facts) -> list[PolicyConsidered]:
    """All policies; to a caller with a credential only those that may concern its workspace, not other tenants'."""
    considered = consider(table, facts)
    if facts.subject is None:
        return considered
    return [
        each
        for each, policy in zip(considered, table.policies, strict=True)
        if policy.fragment.platform or policy.fragment.namespace == facts.namespace
    ]


def _read(body: bytes) -> tuple[_Question, bytes]:
    try:
        if bytes(_IS_CHAT.decode(body).messages):
            return _Question(), body
        question = _QUESTION.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_request(f"this is no question about a request: {error}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid_request(f"the request body is not valid JSON: {error}", code="invalid_json") from error
    request = bytes(question.request)
    if request != b"null":
        if question.prompt is not None or question.model is not None:
            raise invalid_request("'prompt' and 'model' belong to the short form; leave them out beside 'request'")
        return question, request
    if question.prompt is None:
        raise invalid_request(
            "send a chat request as it would be sent, or one under 'request', or the short form with a 'prompt'",
            param="prompt",
        )
    chat = {"model": question.model or "auto", "messages": [{"role": "user", "content": question.prompt}]}
    return question, msgspec.json.encode(chat)


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
