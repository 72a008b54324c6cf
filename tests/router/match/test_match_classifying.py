"""A request is classified if it matters to the first policy that could decide, and only then."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_contract.decision import Classification, Facts
from fairlead_contract.fragments import Match, PolicyFragment
from fairlead_router.dialect.operations import CHAT
from fairlead_router.errors import RouterError
from fairlead_router.match.conditions import matches
from fairlead_router.match.match import asks_classifier, decided, match
from fairlead_router.pipeline import Pipeline
from tests.router.builders import (
    NO_CREDENTIALS,
    SaidClassifier,
    a_classification,
    a_pipeline,
    a_policy,
    a_receiver,
    a_table,
    sealed,
    some_facts,
    tenancy,
)
from tests.router.match.test_match_index import classifications, policies, requests

CODING, HARD, GERMAN = (
    Match(categories=("coding",)),
    Match(difficulties=("Hard",)),
    Match(languages=("de",)),
)
CERTAIN, AMBIGUOUS = Match(certainty="Certain"), Match(certainty="Ambiguous")
ANY, PREMIUM = Match(), Match(user_tiers=("premium",))
PREMIUM_CODING = Match(user_tiers=("premium",), categories=("coding",))


RANKED: dict[str, tuple[list[Match], bool, int | None]] = {
    "one for all": ([ANY], False, 0),
    "one for all stands before it": ([ANY, CODING], False, 0),
    "one for all stands before it, behind one that does not match": ([PREMIUM, ANY, CODING], False, 1),
    "it does not match anyway": ([PREMIUM_CODING, ANY], False, 1),
    "it is the first": ([CODING, ANY], True, 0),
    "it is the first that may match": ([PREMIUM, CODING, ANY], True, 1),
    "by difficulty": ([HARD, ANY], True, 1),
    "by language": ([GERMAN, CODING], True, 1),
    "by certainty": ([CERTAIN, AMBIGUOUS], True, 1),
    "it is the only one": ([HARD], True, None),
    "nobody matches": ([PREMIUM], False, None),
    "nobody is there": ([], False, None),
}


@pytest.mark.parametrize(("ranked", "asked", "decides"), RANKED.values(), ids=RANKED)
def test_the_first_policy_that_could_decide_says_whether_it_must_be_known_what_a_request_is_about(
    ranked: list[Match], asked: bool, decides: int | None
) -> None:
    table = a_table(*(a_policy(f"p{rank}", priority=-rank, match=each) for rank, each in enumerate(ranked)))
    facts, about = some_facts(), a_classification(category="coding", conformal_set=("coding", "math"))
    survivors = table.index.matching(facts)
    assert asks_classifier(table, survivors) is asked
    if decides is None:
        with pytest.raises(RouterError):
            match(table, facts, about)
    else:
        assert match(table, facts, about if asked else None) is table.policies[decides]


@given(st.lists(policies(), max_size=8), requests, classifications)
def test_not_asking_decides_as_asking_would(some: list[PolicyFragment], facts: Facts, about: Classification) -> None:
    named = [
        a_policy(f"p{rank}", namespace=each.namespace, platform=each.platform, match=each.match)
        for rank, each in enumerate(some)
    ]
    table = a_table(*named)
    survivors = table.index.matching(facts)
    if asks_classifier(table, survivors):
        survivors = table.index.narrowed(survivors, about)
    walked = [entry for entry in table.policies if matches(entry.fragment, facts, about)]
    if walked:
        assert decided(table, facts, survivors) is walked[0]
    else:
        assert survivors == 0


async def pipeline_with(classifier: SaidClassifier, *fragments: PolicyFragment) -> Pipeline:
    receiver = a_receiver()
    assert await receiver.offer(sealed(tenancy(), *fragments), NO_CREDENTIALS, source="test")
    return a_pipeline(receiver, classifier=classifier)


@pytest.mark.parametrize(("ranked", "asked"), [((ANY, CODING), []), ((CODING, ANY), ["what of it"])])
async def test_the_pipeline_asks_at_most_once_and_gives_only_the_last_words_of_the_user(
    ranked: tuple[Match, ...], asked: list[str]
) -> None:
    classifier = SaidClassifier(a_classification(category="math"))
    fragments = (a_policy(f"p{rank}", priority=-rank, match=each) for rank, each in enumerate(ranked))
    pipeline = await pipeline_with(classifier, *fragments)
    table = pipeline.receiver.table
    messages = [{"role": "system", "content": "secret"}, {"role": "user", "content": "what of it"}]
    request = CHAT.parse(json.dumps({"model": "auto", "messages": messages}).encode())
    facts = pipeline.facts(table, pipeline.identifier.identify(CIMultiDict()), CIMultiDict(), request)
    survivors, said = await pipeline.narrow(table, facts, CHAT, request)
    assert classifier.asked == asked
    assert said is (classifier.said if asked else None)
    assert decided(table, facts, survivors).fragment.match == ANY  # type: ignore[union-attr]


def test_a_table_says_whether_any_of_its_policies_may_ask() -> None:
    assert not a_table(a_policy()).needs_classifier
    assert a_table(a_policy(), a_policy("other", match=HARD)).needs_classifier
