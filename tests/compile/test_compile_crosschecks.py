"""Findings that take more than one object: ambiguous names, impossible candidates, experiments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile.experiments import components
from tests.compile.objects import (
    about,
    broken,
    budget,
    compiled,
    experiment,
    model,
    namespace,
    policy,
    provider,
    ref,
    said,
    secret,
    state,
)

ALL: dict[str, Any] = {"allowedNamespaces": {"from": "All"}}
SELECTED = {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"llm": "yes"}}}}


@pytest.mark.parametrize(
    ("one", "other", "ambiguous"),
    [
        (("team-a", {}), ("team-a", {}), True),
        (("team-a", {}), ("team-b", {}), False),
        (("team-a", ALL), ("team-b", {}), True),
        (("team-a", ALL), ("team-b", ALL), True),
        (("shared", SELECTED), ("team-a", {}), True),
        (("shared", SELECTED), ("team-b", {}), False),
        (("shared", SELECTED), ("team-b", SELECTED), True),
    ],
)
def test_a_name_is_ambiguous_where_one_namespace_sees_it_twice(
    one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]], ambiguous: bool
) -> None:
    result = compiled(
        provider("first", namespace=one[0], models=[model("unique"), model()], **one[1]),
        provider("second", namespace=other[0], **other[1]),
        namespaces=[namespace("team-a", llm="yes"), namespace("team-b"), namespace("shared")],
    )
    expected = [
        (f"{one[0]}/first", "spec.models[1].name", "AmbiguousModelName"),
        (f"{other[0]}/second", "spec.models[0].name", "AmbiguousModelName"),
    ]
    assert said(result) == (sorted(expected) if ambiguous else [])
    if ambiguous:
        messages = {item.name: item.message for item in result.findings}
        assert f"{other[0]}/second offers small" in messages["first"]
        assert "first/small" in messages["first"]


def test_many_namesakes_are_counted_not_listed() -> None:
    result = compiled(*(provider(f"p{number}", **ALL) for number in range(9)))
    assert "team-a/p1, team-a/p2, team-a/p3 and others" in about(result, "AmbiguousModelName")[0].message


GOOD = model("good", capabilities=["Tools"], compliance=["GDPR"])
HERE: dict[str, Any] = {"endpoints": [{"name": "eu", "url": "https://eu.example", "region": "eu"}]}


@pytest.mark.parametrize(
    ("constraints", "impossible"),
    [
        ({}, None),
        ({"requiredCapabilities": ["Tools"]}, None),
        ({"requiredCapabilities": ["Tools", "Vision"]}, "the policy requires the capabilities Vision"),
        ({"compliance": ["GDPR"]}, None),
        ({"compliance": ["GDPR", "HIPAA"]}, "the policy requires compliance with HIPAA"),
        ({"regions": ["eu", "us"]}, None),
        ({"regions": ["us"]}, "the policy allows only the regions us"),
    ],
)
def test_a_policy_all_of_whose_targets_break_its_own_constraints_is_warned(
    constraints: dict[str, Any], impossible: str | None
) -> None:
    result = compiled(provider(models=[GOOD], **HERE), policy(targets=[ref(model="good")], constraints=constraints))
    assert [impossible in item.message for item in about(result, "NoCandidate") if impossible] == [True] * bool(
        impossible
    )
    assert state(result, "RoutingPolicy", "team-a/main").accepted


def test_one_target_left_is_enough() -> None:
    item = policy(targets=[ref(model="good"), ref()], constraints={"requiredCapabilities": ["Tools"]})
    assert about(compiled(provider(models=[GOOD, model()]), item), "NoCandidate") == []


@pytest.mark.parametrize(
    ("providers", "word"),
    [
        ([], "ProviderNotFound"),
        ([provider(models=[model(state="Inactive")])], "Inactive"),
        ([provider(credentials={"secretRef": {"name": "keys", "key": "key"}})], "SecretNotFound"),
    ],
)
def test_targets_that_are_not_there_count_as_ruled_out(providers: list[dict[str, Any]], word: str) -> None:
    (finding,) = about(compiled(*providers, policy()), "NoCandidate")
    assert (finding.field, finding.severity) == ("spec.targets", "Warning")
    assert f"t0: {word}" in finding.message


@pytest.mark.parametrize(
    ("imposed", "word"),
    [
        ({"allowedModels": [ref("other")]}, "does not list it in allowedModels"),
        ({"compliance": ["HIPAA"]}, "requires compliance with HIPAA"),
        ({"constraints": {"requiredCapabilities": ["Vision"]}}, "requires the capabilities Vision"),
        ({"constraints": {"regions": ["us"]}}, "allows only the regions us"),
    ],
)
@pytest.mark.parametrize("match", [{}, {"workspaces": ["team-a"]}])
def test_what_a_workspace_forbids_is_said_of_the_policies_for_it(
    imposed: dict[str, Any], word: str, match: dict[str, Any]
) -> None:
    objects = [provider(), provider("other"), budget("team-a", **imposed)]
    (finding,) = about(compiled(*objects, policy(match=match)), "NoCandidate")
    assert f"for workspace team-a: t0: workspace team-a {word}" in finding.message
    elsewhere = policy(match={"workspaces": ["ws-other"]})
    assert about(compiled(*objects, elsewhere), "NoCandidate") == []


ARM = {"modelRef": ref()}


def test_an_experiment_is_not_implemented_and_its_references_are_checked_all_the_same() -> None:
    result = compiled(
        provider(), policy(), experiment(arms=[ARM, {"modelRef": ref("gone")}], policyRef={"name": "main"})
    )
    found = state(result, "ABTest", "team-a/test")
    assert (found.accepted, found.accepted_reason, found.generation_in_force) == (False, "NotImplemented", None)
    assert ("team-a/test", "spec.arms[1].modelRef", "ProviderNotFound") in said(result)
    assert (found.resolved_refs, found.resolved_refs_reason) == (False, "ProviderNotFound")


def test_the_policies_an_experiment_names_must_exist_in_its_namespace() -> None:
    result = compiled(
        provider(),
        policy("main"),
        policy("other", namespace="team-b"),
        policy("sleeping", suspend=True),
        experiment(
            arms=[{"policyRef": {"name": "other"}}, {"policyRef": {"name": "sleeping"}}], policyRef={"name": "gone"}
        ),
    )
    fields = [field for _, field, reason in said(result) if reason == "PolicyNotFound"]
    assert fields == ["spec.arms[0].policyRef", "spec.policyRef"]


def arms_to(*names: str) -> list[dict[str, Any]]:
    return [{"policyRef": {"name": name}} for name in names]


def test_arms_that_lead_back_to_the_policy_they_split_are_cycles() -> None:
    policies = [policy(name, match={"agentTypes": [name]}) for name in ("a", "b", "c", "d")]
    tests = [
        experiment("one", arms=arms_to("b", "d"), policyRef={"name": "a"}),
        experiment("two", arms=arms_to("a", "c"), policyRef={"name": "b"}),
        experiment("three", arms=arms_to("d", "c"), policyRef={"name": "c"}),
    ]
    result = compiled(provider(), *policies, *tests)
    assert sorted((item.name, item.field) for item in about(result, "Cycle")) == [
        ("one", "spec.arms[0].policyRef"),
        ("three", "spec.arms[1].policyRef"),
        ("two", "spec.arms[0].policyRef"),
    ]


@given(st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3), max_size=7))
def test_components_are_the_nodes_that_reach_each_other(graph: dict[int, list[int]]) -> None:
    edges = {("", str(start)): [("", str(end)) for end in ends] for start, ends in graph.items()}
    nodes = set(edges) | {end for ends in edges.values() for end in ends}
    reach = {node: {node} for node in nodes}
    for _ in nodes:
        for start, ends in edges.items():
            for node in nodes:
                if start in reach[node]:
                    reach[node].update(ends)
    found = components(edges)
    assert set(found) == nodes
    for one in nodes:
        for other in nodes:
            assert (found[one] == found[other]) is (one in reach[other] and other in reach[one])


@pytest.mark.parametrize(
    ("splits", "constraints", "imposed", "word"),
    [
        ({"policyRef": {"name": "main"}}, {"compliance": ["GDPR"]}, {}, "RoutingPolicy main requires compliance"),
        ({"policyRef": {"name": "main"}}, {}, {"compliance": ["GDPR"]}, "workspace team-a requires compliance"),
        ({"policyRef": {"name": "main"}}, {}, {"allowedModels": [ref(model="good")]}, "allowedModels"),
        ({"match": {"workspaces": ["team-a"]}}, {}, {"compliance": ["GDPR"]}, "workspace team-a requires"),
        ({"match": {}}, {}, {"compliance": ["GDPR"]}, "workspace team-a requires"),
        ({"match": {"workspaces": ["other"]}}, {}, {"compliance": ["GDPR"]}, None),
        ({"policyRef": {"name": "main"}}, {}, {}, None),
    ],
)
@pytest.mark.parametrize("arm", [{"modelRef": ref()}, {"policyRef": {"name": "poor"}}])
def test_an_arm_that_a_hard_constraint_forbids_is_an_error(
    splits: dict[str, Any], constraints: dict[str, Any], imposed: dict[str, Any], word: str | None, arm: dict[str, Any]
) -> None:
    result = compiled(
        provider(models=[GOOD, model()]),
        policy(targets=[ref(model="good")], constraints=constraints),
        policy("poor", match={"agentTypes": ["poor"]}),
        budget("team-a", **imposed),
        experiment(arms=[{"modelRef": ref(model="good")}, arm], **splits),
    )
    found = about(result, "ForbiddenArm")
    assert [(item.field, item.severity.value) for item in found] == [("spec.arms[1]", "Error")] * bool(word)
    assert all(word in item.message for item in found if word)


def test_a_broken_experiment_says_only_what_is_broken() -> None:
    result = compiled(provider(), broken(experiment(arms=[ARM, ARM], policyRef={"name": "main"})))
    assert {reason for _, _, reason in said(result)} == {"Invalid"}


def test_nothing_is_said_of_a_world_that_is_in_order() -> None:
    result = compiled(
        provider(credentials={"secretRef": {"name": "keys", "key": "key"}}),
        policy(constraints={"regions": []}),
        budget("team-a"),
        secrets=[secret()],
        namespaces=[namespace("team-a")],
    )
    assert result.findings == ()
    assert all(item.accepted and item.resolved_refs for item in result.states)
