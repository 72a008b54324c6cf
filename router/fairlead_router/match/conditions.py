"""The rules of matching, one policy at a time, with the reason for each answer.

Serves explanations, and the index's tests as their oracle.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fairlead_contract.decision import Classification, Facts
from fairlead_contract.fragments import Match, PolicyFragment
from fairlead_router.match.index import certainty_of, condition_text

NOT_CLASSIFIED = "nothing: the request was not classified, since no policy that could decide asks for it"


class ConditionResult(msgspec.Struct, frozen=True, rename="camel"):
    """One condition of a policy held against a request."""

    field: str
    holds: bool
    wanted: str
    found: str


def evaluate(
    policy: PolicyFragment, facts: Facts, classification: Classification | None = None
) -> Iterator[ConditionResult]:
    """Every condition the policy states, in the order of the API reference.

    Without a ``classification`` no condition on one holds.
    """
    match = policy.match
    if not policy.platform:
        yield ConditionResult(
            "namespace",
            facts.namespace == policy.namespace,
            f"a workspace owned by namespace {policy.namespace}",
            f"workspace {facts.workspace} owned by {facts.namespace or 'nobody'}",
        )
    dimensions: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
        ("match.models", match.models, facts.requested_model),
        ("match.workspaces", match.workspaces, facts.workspace),
        ("match.agentTypes", match.agent_types, facts.agent_type),
        ("match.requestTypes", match.request_types, facts.request_type),
    )
    for field, accepted, value in dimensions:
        if accepted:
            yield _one_of(field, accepted, value)
    yield from _classified(match, classification)
    if match.user_tiers:
        yield _one_of("match.userTiers", match.user_tiers, facts.user_tier)
    low, high = match.min_characters, match.max_characters
    if low is not None or high is not None:
        length = facts.content_length_characters
        holds = (low is None or length >= low) and (high is None or length <= high)
        bounds = f"between {low or 0} and {'any number' if high is None else high} characters"
        yield ConditionResult("match.contentLengthCharacters", holds, bounds, str(length))
    for condition in match.headers:
        text = condition_text(condition)
        holds = text in facts.header_conditions
        yield ConditionResult(
            f"match.headers[{condition.name}]", holds, text, "just that" if holds else "another value or none"
        )


def matches(policy: PolicyFragment, facts: Facts, classification: Classification | None = None) -> bool:
    """Whether every condition holds."""
    return all(result.holds for result in evaluate(policy, facts, classification))


def _one_of(field: str, accepted: tuple[str, ...], value: str | None, found: str | None = None) -> ConditionResult:
    return ConditionResult(field, value in accepted, f"one of {', '.join(accepted)}", found or value or "nothing")


def _classified(match: Match, said: Classification | None) -> Iterator[ConditionResult]:
    """The conditions on what the classifier says."""
    if match.categories:
        value = None if said is None else said.category
        found = NOT_CLASSIFIED if said is None else f"{said.category} (confidence {said.confidence:.2f})"
        yield _one_of("match.categories", match.categories, value, found)
    if match.difficulties:
        value = None if said is None else said.difficulty
        yield _one_of("match.difficulties", match.difficulties, value, NOT_CLASSIFIED if said is None else value)
    if match.languages:
        value = None if said is None else said.language
        found = NOT_CLASSIFIED if said is None else value or "too few words to tell"
        yield _one_of("match.languages", match.languages, value, found)
    if match.certainty is not None:
        value = None if said is None else certainty_of(said)
        found = (
            NOT_CLASSIFIED if said is None else f"{value}: it may be {' or '.join(said.conformal_set) or 'anything'}"
        )
        yield ConditionResult("match.certainty", value == match.certainty, match.certainty, found)
