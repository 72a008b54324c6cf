"""Policies that can never match: the index against what it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.fragments import HeaderMatch, Match, PolicyFragment, Precedence
from fairlead_crds.compile.coverage import shadowed
from tests.compile.objects import PLATFORM, about, compiled, policy, provider, said


def implies(given: HeaderMatch, wanted: HeaderMatch) -> bool:
    """Whether every value that meets ``given`` meets ``wanted``."""
    if wanted.present is not None:
        return given.present == wanted.present or (wanted.present and given.present is None)
    text = given.exact if given.exact is not None else given.prefix
    if text is None:
        return False
    if wanted.exact is not None:
        return given.exact == wanted.exact
    return wanted.prefix is not None and text.startswith(wanted.prefix)


def _optional(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def covers(above: PolicyFragment, below: PolicyFragment) -> bool:
    """The definition, condition by condition."""
    if above.order() >= below.order():
        return False
    if not above.platform and (below.platform or above.namespace != below.namespace):
        return False
    one, other = above.match, below.match
    for wide, narrow in [
        (one.models, other.models),
        (one.workspaces, other.workspaces),
        (one.agent_types, other.agent_types),
        (one.request_types, other.request_types),
        (one.categories, other.categories),
        (one.difficulties, other.difficulties),
        (one.languages, other.languages),
        (_optional(one.certainty), _optional(other.certainty)),
        (one.user_tiers, other.user_tiers),
    ]:
        if wide and not (narrow and set(narrow) <= set(wide)):
            return False
    if one.min_characters is not None and (other.min_characters is None or other.min_characters < one.min_characters):
        return False
    if one.max_characters is not None and (other.max_characters is None or other.max_characters > one.max_characters):
        return False
    conditions = {header.name: header for header in other.headers}
    return all(header.name in conditions and implies(conditions[header.name], header) for header in one.headers)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(values), max_size=2).map(lambda found: tuple(sorted(found)))


TEXT = st.sampled_from(["", "r", "re", "red", "blue"])
NAME = st.sampled_from(["x-a", "x-b", "x-c", "x-d", "x-e"])
HEADERS = st.lists(
    st.one_of(
        st.builds(HeaderMatch, NAME, exact=TEXT),
        st.builds(HeaderMatch, NAME, prefix=TEXT),
        st.builds(HeaderMatch, NAME, present=st.booleans()),
    ),
    max_size=5,
    unique_by=lambda header: header.name,
).map(lambda found: tuple(sorted(found, key=lambda header: header.name)))
BOUND = st.none() | st.integers(0, 3)
MATCHES = st.builds(
    Match,
    models=some("auto", "x", "y"),
    workspaces=some("w1", "w2"),
    agent_types=some("a1", "a2"),
    request_types=some("Chat"),
    categories=some("coding", "math"),
    difficulties=some("Hard"),
    languages=some("en"),
    certainty=st.none() | st.sampled_from(["Certain", "Ambiguous"]),
    user_tiers=some("gold"),
    min_characters=BOUND,
    max_characters=BOUND,
    headers=HEADERS,
)


@st.composite
def policies(draw: st.DrawFn) -> list[PolicyFragment]:
    result = []
    for number, match in enumerate(draw(st.lists(MATCHES, max_size=8))):
        platform = draw(st.booleans())
        levels: list[Precedence] = ["Override", "Normal", "Default"] if platform else ["Normal"]
        result.append(
            PolicyFragment(
                namespace=PLATFORM if platform else draw(st.sampled_from(["a", "b"])),
                name=f"p{number}",
                uid="",
                generation=1,
                created_at=draw(st.integers(0, 1)),
                platform=platform,
                precedence=draw(st.sampled_from(levels)),
                priority=draw(st.integers(0, 1)),
                match=match,
            )
        )
    return result


@given(policies())
def test_the_index_agrees_with_comparing_every_pair(found: list[PolicyFragment]) -> None:
    ranked = sorted(found, key=PolicyFragment.order)
    expected = []
    for below in ranked:
        above = next((item for item in ranked if covers(item, below)), None)
        if above is not None:
            expected.append((below.key, above.key))
    assert [(below.key, above.key) for below, above in shadowed(found)] == expected


@given(st.lists(HEADERS, max_size=8))
def test_conditions_on_many_headers_are_counted_right(found: list[tuple[HeaderMatch, ...]]) -> None:
    ranked = [
        PolicyFragment(
            namespace="a", name=f"p{number}", uid="", generation=1, created_at=number, match=Match(headers=headers)
        )
        for number, headers in enumerate(found)
    ]
    expected = [
        (below.key, next(above.key for above in ranked if covers(above, below)))
        for below in ranked
        if any(covers(above, below) for above in ranked)
    ]
    assert [(below.key, above.key) for below, above in shadowed(ranked)] == expected


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ({"prefix": "red"}, {"exact": "red"}, True),
        ({"prefix": "red"}, {"exact": "reddish"}, True),
        ({"prefix": "red"}, {"prefix": "reddish"}, True),
        ({"prefix": "red"}, {"prefix": "re"}, False),
        ({"prefix": "red"}, {"exact": "Red"}, False),
        ({"present": True}, {"exact": "red"}, True),
        ({"present": True}, {"prefix": "red"}, True),
        ({"present": True}, {"present": False}, False),
        ({"present": False}, {"present": False}, True),
        ({"exact": "red"}, {"exact": "red"}, True),
        ({"exact": "red"}, {"prefix": "red"}, False),
        ({"exact": "red"}, {"present": True}, False),
    ],
)
def test_a_condition_on_a_header_follows_from_a_narrower_one(
    wide: dict[str, Any], narrow: dict[str, Any], is_covered: bool
) -> None:
    first = policy("wide", priority=9, match={"headers": [{"name": "x-a", **wide}]})
    second = policy("narrow", match={"headers": [{"name": "X-A", **narrow}, {"name": "x-b", "exact": "1"}]})
    assert bool(about(compiled(provider(), first, second), "Shadowed")) is is_covered


def test_the_finding_names_the_policy_that_covers() -> None:
    result = compiled(provider(), policy("wide", priority=9), policy("narrow", match={"agentTypes": ["coder"]}))
    (finding,) = about(result, "Shadowed")
    assert (finding.name, finding.field, finding.severity) == ("narrow", "spec.match", "Warning")
    assert "RoutingPolicy team-a/wide is consulted first" in finding.message


@pytest.mark.parametrize(
    ("change", "is_shadowed"),
    [
        ({}, True),
        ({"priority": 10}, False),
        ({"match": {"models": ["other"]}}, False),
        ({"suspend": True}, False),
    ],
)
def test_only_policies_in_force_shadow_and_are_shadowed(change: dict[str, Any], is_shadowed: bool) -> None:
    result = compiled(provider(), policy("wide", priority=9), policy("narrow", **change))
    assert ("team-a/narrow", "spec.match", "Shadowed") in said(result) or not is_shadowed
    assert bool(about(result, "Shadowed")) is (is_shadowed or change == {"priority": 10})


def test_an_override_shadows_every_tenant_and_a_tenant_no_other() -> None:
    tenants = [
        policy(namespace="team-a"),
        policy(namespace="team-b", targets=[{"providerRef": {"name": "p"}, "model": "m"}]),
    ]
    assert about(compiled(*tenants), "Shadowed") == []
    override = policy("all", namespace=PLATFORM, precedence="Override")
    assert {item.namespace for item in about(compiled(*tenants, override), "Shadowed")} == {"team-a", "team-b"}
