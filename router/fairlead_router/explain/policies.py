"""All policies held against one request."""

from __future__ import annotations

import msgspec

from fairlead_contract.decision import Classification, Facts
from fairlead_router.config.table import Table
from fairlead_router.match.conditions import ConditionResult, evaluate


class PolicyConsidered(msgspec.Struct, frozen=True, rename="camel"):
    """One policy in the order in which policies are consulted."""

    policy: str
    precedence: str
    priority: int
    matches: bool
    decides: bool
    reason: str
    conditions: tuple[ConditionResult, ...]


def consider(table: Table, facts: Facts, classification: Classification | None = None) -> list[PolicyConsidered]:
    """Every policy of ``table``, whether it matches, and why or why not.

    Without a ``classification`` a policy that asks for one does not match: had it been the first of those that could
    decide, there would be one.
    """
    decided = False
    result = []
    for policy in table.policies:
        fragment = policy.fragment
        conditions = tuple(evaluate(fragment, facts, classification))
        failing = [condition for condition in conditions if not condition.holds]
        matches = not failing
        decides = matches and not decided
        decided = decided or matches
        if failing:
            reason = "; ".join(f"{each.field} wants {each.wanted}, found {each.found}" for each in failing)
        elif decides:
            reason = "every condition holds, and no policy before it matched"
        else:
            reason = "every condition holds, but a policy before it decides"
        result.append(
            PolicyConsidered(fragment.key, fragment.precedence, fragment.priority, matches, decides, reason, conditions)
        )
    return result
