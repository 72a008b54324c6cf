"""The rules of matching, one policy at a time, with the reason for each answer.

Serves explanations, and the index's tests as their oracle.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fairlead_contract.decision import Facts
from fairlead_contract.fragments import PolicyFragment
from fairlead_router.match.index import condition_text


class ConditionResult(msgspec.Struct, frozen=True, rename="camel"):
    """One condition of a policy held against a request."""

    field: str
    holds: bool
    wanted: str
    found: str


def evaluate(policy: PolicyFragment, facts: Facts) -> Iterator[ConditionResult]:
    """Every condition the policy states, in the order of the API reference."""
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
        ("match.userTiers", match.user_tiers, facts.user_tier),
    )
    for field, accepted, value in dimensions:
        if accepted:
            yield ConditionResult(field, value in accepted, f"one of {', '.join(accepted)}", value or "nothing")
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


def matches(policy: PolicyFragment, facts: Facts) -> bool:
    """Whether every condition holds."""
    return all(result.holds for result in evaluate(policy, facts))
