"""What is said of every policy agrees with what decides."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_contract.decision import Classification, Facts, SnapshotUsed
from fairlead_contract.fragments import Match, PolicyFragment
from fairlead_router.explain.decisions import explain_decision
from fairlead_router.explain.policies import consider
from fairlead_router.match.index import rank_of_first
from fairlead_router.match.match import asks_classifier, match
from tests.router.builders import a_policy, a_record, a_table, some_facts
from tests.router.match.test_match_index import classifications, policies, requests, sent_headers


@given(st.lists(policies(), max_size=6), requests, classifications, sent_headers)
def test_the_policy_that_is_said_to_decide_is_the_one_that_does(
    some: list[PolicyFragment], facts: Facts, known: Classification, headers: dict[str, str]
) -> None:
    named = [msgspec.structs.replace(policy, name=f"p{number}") for number, policy in enumerate(some)]
    table = a_table(*named)
    facts = msgspec.structs.replace(facts, header_conditions=table.index.header_conditions(CIMultiDict(headers)))
    survivors, classification = table.index.matching(facts), None
    if asks_classifier(table, survivors):
        classification = known
        survivors = table.index.narrowed(survivors, known)
    considered = consider(table, facts, classification)

    first = rank_of_first(survivors)
    assert [rank for rank, each in enumerate(considered) if each.decides] == ([] if first is None else [first])
    if first is not None:
        assert match(table, facts, classification) is table.policies[first]
    for each in considered:
        assert each.matches is all(condition.holds for condition in each.conditions)


def test_every_policy_is_listed_in_order_with_its_reason() -> None:
    table = a_table(
        a_policy("late", priority=1),
        a_policy("picky", priority=9, match=Match(user_tiers=("premium",), agent_types=("coder",))),
        a_policy("first", priority=5),
    )
    said = [(each.policy, each.decides, each.reason) for each in consider(table, some_facts(user_tier="free"))]
    assert said == [
        (
            "team-a/picky",
            False,
            "match.agentTypes wants one of coder, found nothing; match.userTiers wants one of premium, found free",
        ),
        ("team-a/first", True, "every condition holds, and no policy before it matched"),
        ("team-a/late", False, "every condition holds, but a policy before it decides"),
    ]


def test_a_decision_says_whether_the_policies_shown_are_those_that_decided() -> None:
    table = a_table(a_policy())
    used = table.used
    same = explain_decision(table, a_record(snapshot=used))
    other = explain_decision(table, a_record(snapshot=SnapshotUsed(epoch=1, revision=1, digest="sha256:other")))
    assert (same.policies_unchanged, other.policies_unchanged) == (True, False)
    assert [each.policy for each in same.policies] == ["team-a/main"]
