"""The index and the rules one policy at a time say the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from fairlead_contract.decision import Classification, Facts
from fairlead_contract.fragments import HeaderMatch, Match, PolicyFragment
from fairlead_router.match.conditions import NOT_CLASSIFIED, evaluate, matches
from fairlead_router.match.index import PolicyIndex, condition_text, rank_of_first
from tests.router.builders import a_classification, a_policy, some_facts

WORDS = ("red", "re", "r", "", "blue", "redder", "auto")
NAMES = ("x-team", "x-color", "x-team-absent")
NAMESPACES = ("team-a", "team-b")


def _some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Mostly no condition at all: a policy that many dimensions must let through would never match."""
    return (
        st.just(())
        | st.just(())
        | st.just(())
        | st.lists(st.sampled_from(values), max_size=2, unique=True).map(lambda given: tuple(sorted(given)))
    )


@st.composite
def conditions(draw: st.DrawFn) -> HeaderMatch:
    name, text = draw(st.sampled_from(NAMES)), draw(st.sampled_from(WORDS))
    kind = draw(st.sampled_from(("exact", "prefix", "present", "absent")))
    if kind == "exact":
        return HeaderMatch(name, exact=text)
    if kind == "prefix":
        return HeaderMatch(name, prefix=text)
    return HeaderMatch(name, present=kind == "present")


@st.composite
def policies(draw: st.DrawFn) -> PolicyFragment:
    bounds = draw(st.just((None, None)) | st.tuples(*[st.none() | st.integers(0, 6)] * 2))
    low, high = bounds if None in bounds else sorted(bounds)
    headers = draw(st.lists(conditions(), max_size=3, unique_by=lambda condition: condition.name))
    return a_policy(
        namespace=draw(st.sampled_from(NAMESPACES)),
        platform=draw(st.booleans()),
        match=Match(
            models=draw(_some(("auto", "small"))),
            workspaces=draw(_some(("ws", "other"))),
            agent_types=draw(_some(("creative", "coder"))),
            request_types=draw(_some(("Chat", "Embedding"))),
            categories=draw(_some(("coding", "math"))),
            difficulties=draw(_some(("Easy", "Hard"))),
            languages=draw(_some(("en", "de"))),
            certainty=draw(st.none() | st.none() | st.none() | st.sampled_from(("Certain", "Ambiguous"))),
            user_tiers=draw(_some(("premium", "free"))),
            min_characters=low,
            max_characters=high,
            headers=tuple(headers),
        ),
    )


requests = st.builds(
    some_facts,
    namespace=st.none() | st.sampled_from(NAMESPACES),
    workspace=st.sampled_from(("ws", "other", "third")),
    requested_model=st.sampled_from(("auto", "small", "unheard")),
    agent_type=st.none() | st.sampled_from(("creative", "unheard")),
    request_type=st.sampled_from(("Chat", "Embedding")),
    user_tier=st.none() | st.sampled_from(("premium", "unheard")),
    content_length_characters=st.integers(0, 8),
)
classifications = st.builds(
    a_classification,
    category=st.sampled_from(("coding", "math", "unheard")),
    difficulty=st.sampled_from(("Easy", "Medium", "Hard")),
    language=st.none() | st.sampled_from(("en", "unheard")),
    conformal_set=st.sampled_from(((), ("coding",), ("coding", "math"))),
)
sent_headers = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((*WORDS, "reddest", "green")))


def first(index: PolicyIndex, facts: Facts) -> int | None:
    return rank_of_first(index.matching(facts))


def _walk(all_policies: list[PolicyFragment], facts: Facts, classification: Classification) -> list[int]:
    return [rank for rank, policy in enumerate(all_policies) if matches(policy, facts, classification)]


def _ranks(mask: int) -> list[int]:
    return [rank for rank in range(mask.bit_length()) if mask >> rank & 1]


@given(st.lists(policies(), max_size=8), requests, classifications, sent_headers)
def test_the_index_finds_exactly_the_policies_that_a_walk_over_all_of_them_finds(
    all_policies: list[PolicyFragment], facts: Facts, classification: Classification, headers: dict[str, str]
) -> None:
    index = PolicyIndex(all_policies)
    facts = msgspec.structs.replace(facts, header_conditions=index.header_conditions(CIMultiDict(headers)))
    walked = _walk(all_policies, facts, classification)
    event(f"{len(walked)} policies match")

    assert _ranks(index.narrowed(index.matching(facts), classification)) == walked


@given(st.lists(policies(), max_size=8), requests, classifications)
def test_before_a_classification_only_conditions_on_it_are_open(
    all_policies: list[PolicyFragment], facts: Facts, classification: Classification
) -> None:
    index = PolicyIndex(all_policies)
    survivors = index.matching(facts)
    free = [rank for rank, policy in enumerate(all_policies) if not policy.match.needs_classification]
    assert [rank for rank in _ranks(survivors) if rank in free] == [
        rank for rank in _walk(all_policies, facts, classification) if rank in free
    ]
    assert index.narrowed(survivors, classification) & ~survivors == 0


def _holds(condition: HeaderMatch, headers: dict[str, str]) -> bool:
    value = headers.get(condition.name)
    if condition.present is False:
        return value is None
    if value is None:
        return False
    return value == condition.exact if condition.exact is not None else value.startswith(condition.prefix or "")


@given(st.lists(policies(), max_size=8), sent_headers, st.booleans())
def test_a_header_condition_is_stated_once_if_it_holds_and_never_if_it_does_not(
    all_policies: list[PolicyFragment], headers: dict[str, str], shouted: bool
) -> None:
    sent = CIMultiDict({name.upper() if shouted else name: value for name, value in headers.items()})
    stated = PolicyIndex(all_policies).header_conditions(CIMultiDictProxy(sent))
    wanted = {
        condition_text(condition)
        for policy in all_policies
        for condition in policy.match.headers
        if _holds(condition, headers)
    }
    assert sorted(stated) == sorted(wanted)


token = st.text("abc!#$%&'*+-.^_`|~0159", min_size=1, max_size=6)
any_condition = st.one_of(
    st.builds(HeaderMatch, token, exact=st.text(" =^abspreent", max_size=8)),
    st.builds(HeaderMatch, token, prefix=st.text(" =^abspreent", max_size=8)),
    st.builds(HeaderMatch, token, present=st.booleans()),
)


@given(any_condition, any_condition)
def test_two_different_conditions_never_have_the_same_words(one: HeaderMatch, other: HeaderMatch) -> None:
    assert (condition_text(one) == condition_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (HeaderMatch("x-team", exact="red"), "x-team = red"),
        (HeaderMatch("x-team", prefix="re"), "x-team ^= re"),
        (HeaderMatch("x-team", present=True), "x-team present"),
        (HeaderMatch("x-team", present=False), "x-team absent"),
    ],
)
def test_a_condition_is_recorded_in_the_words_of_the_policy(condition: HeaderMatch, text: str) -> None:
    assert condition_text(condition) == text


@pytest.mark.parametrize(
    ("low", "high", "length", "holds"),
    [
        (3, None, 2, False),
        (3, None, 3, True),
        (None, 3, 3, True),
        (None, 3, 4, False),
        (3, 3, 3, True),
        (3, 3, 2, False),
        (3, 3, 4, False),
        (0, None, 0, True),
        (None, 0, 0, True),
        (None, 0, 1, False),
    ],
)
def test_both_bounds_of_the_content_length_are_inclusive(
    low: int | None, high: int | None, length: int, holds: bool
) -> None:
    policy = a_policy(match=Match(min_characters=low, max_characters=high))
    facts = some_facts(content_length_characters=length)
    assert (first(PolicyIndex([policy]), facts) == 0) is holds
    assert matches(policy, facts) is holds


def test_bounds_of_two_policies_that_touch_do_not_disturb_each_other() -> None:
    index = PolicyIndex(
        [a_policy(match=Match(max_characters=9)), a_policy(match=Match(min_characters=10, max_characters=20))]
    )
    found = [first(index, some_facts(content_length_characters=length)) for length in (9, 10, 20, 21)]
    assert found == [0, 1, 1, None]


def test_a_tenants_policy_applies_only_to_workspaces_of_its_namespace_and_a_platforms_to_all() -> None:
    index = PolicyIndex([a_policy(namespace="team-a"), a_policy(namespace="platform", platform=True)])
    found = [first(index, some_facts(namespace=namespace)) for namespace in ("team-a", "team-b", None)]
    assert found == [0, 1, 1]


def test_a_policy_that_names_no_model_decides_for_every_model_name() -> None:
    index = PolicyIndex([a_policy(match=Match(models=()))])
    assert first(index, some_facts(requested_model="anything")) == 0


@pytest.mark.parametrize(
    ("value", "holding"),
    [("reddest", ["", "r", "red"]), ("re", ["", "r"]), ("r", ["", "r"]), ("", [""]), ("blue", [""])],
)
def test_of_several_prefixes_each_that_holds_is_stated_once(value: str, holding: list[str]) -> None:
    index = PolicyIndex(
        [a_policy(match=Match(headers=(HeaderMatch("x-team", prefix=text),))) for text in ("redder", "red", "r", "")]
    )
    stated = index.header_conditions(CIMultiDict({"x-team": value}))
    assert sorted(stated) == [f"x-team ^= {text}" for text in holding]


def test_without_policies_nothing_decides() -> None:
    index = PolicyIndex([])
    assert first(index, some_facts()) is None
    assert index.header_conditions(CIMultiDict({"x": "y"})) == ()


def test_a_condition_of_the_same_name_in_another_policy_does_not_satisfy_this_one() -> None:
    red, blue = (a_policy(match=Match(headers=(HeaderMatch("x-team", exact=text),))) for text in ("red", "blue"))
    index = PolicyIndex([red, blue])
    facts = some_facts(header_conditions=index.header_conditions(CIMultiDict({"X-Team": "blue"})))
    assert first(index, facts) == 1


def test_every_condition_of_a_policy_is_explained_in_the_order_of_the_api_reference() -> None:
    policy = a_policy(
        match=Match(
            models=("auto",),
            workspaces=("ws",),
            agent_types=("creative", "poet"),
            request_types=("Chat",),
            categories=("math",),
            difficulties=("Easy", "Medium"),
            languages=("en",),
            certainty="Certain",
            user_tiers=("premium",),
            min_characters=1,
            headers=(HeaderMatch("x-team", exact="red"),),
        )
    )
    classification = a_classification(category="coding", confidence=0.934, difficulty="Medium", language=None)
    stated = [tuple(msgspec.structs.astuple(each)) for each in evaluate(policy, some_facts(), classification)]
    assert stated == [
        ("namespace", True, "a workspace owned by namespace team-a", "workspace ws owned by team-a"),
        ("match.models", True, "one of auto", "auto"),
        ("match.workspaces", True, "one of ws", "ws"),
        ("match.agentTypes", False, "one of creative, poet", "nothing"),
        ("match.requestTypes", True, "one of Chat", "Chat"),
        ("match.categories", False, "one of math", "coding (confidence 0.93)"),
        ("match.difficulties", True, "one of Easy, Medium", "Medium"),
        ("match.languages", False, "one of en", "too few words to tell"),
        ("match.certainty", False, "Certain", "Ambiguous: it may be coding or math"),
        ("match.userTiers", False, "one of premium", "nothing"),
        ("match.contentLengthCharacters", False, "between 1 and any number characters", "0"),
        ("match.headers[x-team]", False, "x-team = red", "another value or none"),
    ]


def test_no_condition_on_a_classification_holds_where_nothing_was_classified() -> None:
    policy = a_policy(
        match=Match(categories=("math",), difficulties=("Easy",), languages=("en",), certainty="Ambiguous")
    )
    stated = [each for each in evaluate(policy, some_facts()) if each.field not in {"namespace", "match.models"}]
    assert [(each.field, each.holds, each.found) for each in stated] == [
        (field, False, NOT_CLASSIFIED)
        for field in ("match.categories", "match.difficulties", "match.languages", "match.certainty")
    ]
