"""Who may claim a workspace, and to whom it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_crds.compile import Settings
from tests.compile.objects import (
    PLATFORM,
    about,
    broken,
    budget,
    compiled,
    edited,
    fragments,
    namespace,
    policy,
    provider,
    said,
    state,
    the_policy,
    the_tenancy,
)

OLD, NEW = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("annotation", "workspace", "home", "permitted"),
    [
        (None, "team-a", "team-a", True),
        (None, "ws-1", "team-a", False),
        ("ws-1", "ws-1", "team-a", True),
        (" ws-2 , ws-1 ,, ", "ws-1", "team-a", True),
        ("ws-1", "ws-10", "team-a", False),
        ("ws-*", "ws-1", "team-a", True),
        ("ws-*", "ws", "team-a", False),
        ("*", "anything", "team-a", True),
        ("w*s-1", "ws-1", "team-a", False),
        (None, "ws-1", PLATFORM, True),
        (None, "team-a", PLATFORM, True),
    ],
)
def test_a_claim_needs_the_name_the_annotation_or_a_platform_namespace(
    annotation: str | None, workspace: str, home: str, permitted: bool
) -> None:
    result = compiled(budget(workspace, namespace=home), namespaces=[namespace("team-a", workspaces=annotation)])
    found = state(result, "WorkspaceBudget", f"{home}/budget")
    assert found.accepted is permitted
    assert found.accepted_reason == ("Accepted" if permitted else "NotPermitted")
    assert (f"WorkspaceBudget {home}/budget" in fragments(result)) is permitted
    assert (the_tenancy(result).owner_of(workspace) == home) is permitted


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({"created": OLD}, {"created": NEW}, "team-a"),
        ({"created": NEW}, {"created": OLD}, "team-b"),
        ({"created": OLD, "uid": "2"}, {"created": OLD, "uid": "1"}, "team-b"),
        ({"created": OLD, "uid": "1"}, {"created": OLD, "uid": "2"}, "team-a"),
        ({"created": NEW}, {"created": None}, "team-b"),
    ],
)
def test_of_two_rightful_claims_the_older_wins_and_the_other_is_told(
    first: dict[str, Any], second: dict[str, Any], winner: str
) -> None:
    both = [namespace("team-a", workspaces="ws"), namespace("team-b", workspaces="w*")]
    result = compiled(budget("ws", **first), budget("ws", namespace="team-b", **second), namespaces=both)
    loser = {"team-a": "team-b", "team-b": "team-a"}[winner]
    assert the_tenancy(result).owner_of("ws") == winner
    assert state(result, "WorkspaceBudget", f"{winner}/budget").accepted
    assert state(result, "WorkspaceBudget", f"{loser}/budget").accepted_reason == "Conflict"
    assert state(result, "WorkspaceBudget", f"{loser}/budget").generation_in_force is None
    assert f"WorkspaceBudget {winner}/budget" in about(result, "Conflict")[0].message


def test_an_unrightful_claim_does_not_compete() -> None:
    result = compiled(
        budget("ws", created=OLD),
        budget("ws", namespace="team-b", created=NEW),
        namespaces=[namespace("team-a"), namespace("team-b", workspaces="ws")],
    )
    assert the_tenancy(result).owner_of("ws") == "team-b"


def test_a_lost_right_takes_effect_at_once_even_on_a_generation_kept_back() -> None:
    claim = budget("ws")
    allowed, withdrawn = [namespace("team-a", workspaces="ws")], [namespace("team-a")]
    first = compiled(claim, namespaces=allowed)
    kept = compiled(broken(claim), namespaces=allowed, previous=first)
    assert the_tenancy(kept).owner_of("ws") == "team-a"
    assert state(kept, "WorkspaceBudget", "team-a/budget").generation_in_force == 1
    lost = compiled(broken(claim), namespaces=withdrawn, previous=kept)
    assert the_tenancy(lost).owner_of("ws") is None
    assert "WorkspaceBudget team-a/budget" not in fragments(lost)
    assert {reason for _, _, reason in said(lost)} == {"Invalid", "NotPermitted"}


@pytest.mark.parametrize(
    ("namespaces", "workspace", "owner"),
    [
        ([("ws", 9, None), ("old", 1, "ws")], "ws", "ws"),
        ([("new", 2, "ws"), ("old", 1, "ws")], "ws", "old"),
        ([("exact", 9, "ws-1"), ("pattern", 1, "ws-*")], "ws-1", "exact"),
        ([("short", 1, "w*"), ("long", 9, "ws-*")], "ws-1", "long"),
        ([("new", 2, "ws-*"), ("old", 1, "ws-*")], "ws-1", "old"),
        ([("all", 1, "*")], "anything", "all"),
        ([("other", 1, "x-*")], "ws-1", "fallback"),
    ],
)
def test_a_workspace_that_nobody_claims_falls_to(
    namespaces: list[tuple[str, int, str | None]], workspace: str, owner: str
) -> None:
    listed = [namespace(name, created_at=age, workspaces=annotation) for name, age, annotation in namespaces]
    result = compiled(namespaces=listed, settings=Settings(default_namespace="fallback"))
    assert the_tenancy(result).owner_of(workspace) == owner


def test_ties_of_age_between_namespaces_go_by_uid() -> None:
    listed = [namespace("a", uid="2", workspaces="ws,p-*"), namespace("b", uid="1", workspaces="ws,p-*")]
    tenancy = the_tenancy(compiled(namespaces=listed))
    assert (tenancy.owner_of("ws"), tenancy.owner_of("p-1")) == ("b", "b")


def test_without_a_default_an_unknown_workspace_has_no_owner() -> None:
    assert the_tenancy(compiled()).owner_of("ws") is None


def test_a_namespace_that_is_not_listed_owns_its_name_once_something_there_is_valid() -> None:
    assert the_tenancy(compiled(provider(namespace="ghost"))).owner_of("ghost") == "ghost"
    assert the_tenancy(compiled(policy(namespace="ghost", suspend=True))).owner_of("ghost") == "ghost"
    assert the_tenancy(compiled(provider(namespace="ghost", surprise=1))).owner_of("ghost") is None


def test_there_is_one_tenancy_fragment_with_patterns_longest_first() -> None:
    listed = [namespace("a", workspaces="a-*,abc-*"), namespace("b", workspaces="ab-*")]
    tenancy = the_tenancy(compiled(namespaces=listed))
    assert (tenancy.key, tenancy.uid, tenancy.generation) == ("/tenancy", "", 0)
    assert [item.prefix for item in tenancy.patterns] == ["abc-", "ab-", "a-"]


def test_a_policy_for_a_workspace_of_others_is_told_for_each_and_still_published() -> None:
    item = policy(match={"workspaces": ["ws-1", "ws-2", "team-a"]})
    result = compiled(provider(), item, namespaces=[namespace("team-b", workspaces="ws-1")])
    messages = [finding.message for finding in about(result, "WorkspaceNotClaimed")]
    assert len(messages) == 2
    assert "but to team-b" in messages[0]
    assert the_policy(result).match.workspaces == ("team-a", "ws-1", "ws-2")
    assert state(result, "RoutingPolicy", "team-a/main").accepted
    assert state(result, "RoutingPolicy", "team-a/main").resolved_refs_reason == "WorkspaceNotClaimed"


def test_a_platform_policy_may_name_any_workspace() -> None:
    result = compiled(
        provider(namespace=PLATFORM), policy(namespace=PLATFORM, match={"workspaces": ["ws-1"]}, precedence="Override")
    )
    assert said(result) == []
    assert the_policy(result, f"{PLATFORM}/main").platform


@pytest.mark.parametrize("precedence", ["Override", "Default"])
def test_precedence_other_than_normal_is_refused_to_tenants_without_last_good(precedence: str) -> None:
    plain = policy()
    first = compiled(provider(), plain)
    second = compiled(provider(), edited(plain, precedence=precedence), previous=first)
    found = state(second, "RoutingPolicy", "team-a/main")
    assert (found.accepted, found.accepted_reason, found.generation_in_force) == (False, "NotPermitted", None)
    assert ("team-a/main", "spec.precedence", "NotPermitted") in said(second)
    assert "RoutingPolicy team-a/main" not in fragments(second)


def test_a_namespace_that_is_no_longer_a_platform_loses_its_overrides_even_kept_back() -> None:
    item = policy(precedence="Override")
    trusted = Settings(platform_namespaces=frozenset({"team-a"}))
    first = compiled(provider(), item, settings=trusted)
    kept = compiled(provider(), broken(item), settings=trusted, previous=first)
    assert the_policy(kept).precedence == "Override"
    lost = compiled(provider(), broken(item), previous=kept)
    assert "RoutingPolicy team-a/main" not in fragments(lost)
