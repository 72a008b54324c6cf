"""References: what a policy may use, and what becomes of one that points nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compile.objects import (
    about,
    budget,
    compiled,
    edited,
    model,
    namespace,
    policy,
    provider,
    ref,
    said,
    secret,
    state,
    the_policy,
    the_provider,
)

ELSEWHERE = ref(namespace="shared")


def test_a_reference_without_namespace_means_the_objects_own() -> None:
    result = compiled(provider(), policy())
    assert the_policy(result).targets[0].model.key == "team-a/openai/small"
    assert the_policy(result).targets[0].unresolved is None
    assert state(result, "RoutingPolicy", "team-a/main").resolved_refs


@pytest.mark.parametrize(
    ("allowed", "labels", "reason"),
    [
        (None, {}, "ReferenceNotPermitted"),
        ({"from": "Same"}, {}, "ReferenceNotPermitted"),
        ({"from": "All"}, {}, None),
        ({"from": "Selector", "selector": {"matchLabels": {"tier": "gold"}}}, {"tier": "gold"}, None),
        ({"from": "Selector", "selector": {"matchLabels": {"tier": "gold"}}}, {}, "ReferenceNotPermitted"),
        (
            {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]},
            },
            {"tier": "b"},
            None,
        ),
        (
            {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]},
            },
            {},
            None,
        ),
        (
            {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]},
            },
            {"tier": "a"},
            "ReferenceNotPermitted",
        ),
        (
            {"from": "Selector", "selector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}},
            {"tier": ""},
            None,
        ),
        (
            {"from": "Selector", "selector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}},
            {"tier": "a"},
            "ReferenceNotPermitted",
        ),
        (
            {
                "from": "Selector",
                "selector": {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]},
            },
            {"a": "1"},
            "ReferenceNotPermitted",
        ),
    ],
)
def test_a_provider_elsewhere_must_admit_the_namespace(
    allowed: dict[str, object] | None, labels: dict[str, Any], reason: str | None
) -> None:
    spec: dict[str, Any] = {} if allowed is None else {"allowedNamespaces": allowed}
    result = compiled(
        provider(namespace="shared", **spec),
        policy(targets=[ELSEWHERE]),
        namespaces=[namespace("team-a", **labels), namespace("shared")],
    )
    assert the_policy(result).targets[0].unresolved == reason
    assert state(result, "RoutingPolicy", "team-a/main").accepted
    assert state(result, "RoutingPolicy", "team-a/main").resolved_refs is (reason is None)
    if reason is not None:
        assert ("team-a/main", "spec.targets[0].modelRef", reason) in said(result)


def test_a_selector_is_published_as_the_namespaces_it_admits() -> None:
    selector = {"matchLabels": {"llm": "yes"}}
    result = compiled(
        provider(namespace="shared", allowedNamespaces={"from": "Selector", "selector": selector}),
        namespaces=[
            namespace("b", llm="yes"),
            namespace("a", llm="yes"),
            namespace("c"),
            namespace("shared", llm="yes"),
        ],
    )
    assert the_provider(result, "shared/openai").visible_namespaces == ("a", "b")


def test_a_withdrawn_permission_takes_effect_at_once() -> None:
    shared = provider(namespace="shared", allowedNamespaces={"from": "All"})
    first = compiled(shared, policy(targets=[ELSEWHERE]))
    second = compiled(edited(shared, allowedNamespaces={"from": "Same"}), policy(targets=[ELSEWHERE]), previous=first)
    assert the_policy(second).targets[0].unresolved == "ReferenceNotPermitted"


@pytest.mark.parametrize(
    ("target", "reason"),
    [(ref("nobody"), "ProviderNotFound"), (ref(model="huge"), "ModelNotFound"), (ref("broken"), "ProviderNotFound")],
)
@pytest.mark.parametrize("place", ["target", "fallback", "canary"])
def test_an_unresolved_reference_stays_in_the_policy_marked(target: dict[str, object], reason: str, place: str) -> None:
    item = {
        "target": policy(targets=[target]),
        "fallback": policy(fallbacks=[{"on": ["Error"], "modelRef": target}]),
        "canary": policy(canary={"modelRef": target, "weightPercent": 5}),
    }[place]
    result = compiled(provider(), provider("broken", surprise=1), item)
    compiled_policy = the_policy(result)
    canary = compiled_policy.canary
    marked = [item.unresolved for item in compiled_policy.targets]
    marked += [item.unresolved for item in compiled_policy.fallbacks]
    marked += [] if canary is None else [canary.unresolved]
    field = {"target": "spec.targets[0]", "fallback": "spec.fallbacks[0]", "canary": "spec.canary"}[place]
    assert [item for item in marked if item is not None] == [reason]
    assert ("team-a/main", f"{field}.modelRef", reason) in said(result)
    assert state(result, "RoutingPolicy", "team-a/main").accepted
    assert state(result, "RoutingPolicy", "team-a/main").resolved_refs_reason == reason


def test_a_missing_provider_of_which_there_is_one_elsewhere_says_where() -> None:
    result = compiled(provider(namespace="shared"), policy())
    assert "there is one in shared" in about(result, "ProviderNotFound")[0].message


@pytest.mark.parametrize(
    ("state_of_model", "reason"), [("Inactive", "ModelInactive"), ("Deprecated", "ModelDeprecated")]
)
def test_a_model_that_is_not_active_stays_a_target_with_a_warning(state_of_model: str, reason: str) -> None:
    result = compiled(
        provider(models=[model(state=state_of_model), model("other")]), policy(targets=[ref(), ref(model="other")])
    )
    assert the_policy(result).targets[0].unresolved is None
    assert ("team-a/main", "spec.targets[0].modelRef", reason) in said(result)
    assert state(result, "RoutingPolicy", "team-a/main").resolved_refs


def test_a_target_whose_provider_is_withheld_stays_with_a_warning() -> None:
    locked = provider(credentials={"secretRef": {"name": "keys", "key": "key"}})
    result = compiled(locked, policy())
    assert the_policy(result).targets[0].unresolved is None
    assert ("team-a/main", "spec.targets[0].modelRef", "ProviderUnavailable") in said(result)
    assert not about(compiled(locked, policy(), secrets=[secret()]), "ProviderUnavailable")


def test_allowed_models_that_allow_nothing_are_remarked_upon_and_kept() -> None:
    result = compiled(provider(), budget("team-a", allowedModels=[ref(), ref("gone")]))
    assert said(result) == [("team-a/budget", "spec.allowedModels", "ProviderNotFound")]
    assert state(result, "WorkspaceBudget", "team-a/budget").resolved_refs
