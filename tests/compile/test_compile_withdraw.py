"""A snapshot that is too large: nothing is added or edited, but whatever was withdrawn is gone at once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.fragments import (
    AnyFragment,
    PolicyFragment,
    ProviderFragment,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_crds.compile import Compilation, Namespace, Previous, Settings, compile_resources
from fairlead_crds.compile.intents import Intent, intent_of
from tests.compile.objects import (
    about,
    broken,
    budget,
    compiled,
    edited,
    encoded,
    fragments,
    model,
    namespace,
    policy,
    provider,
    ref,
    secret,
    state,
    the_policy,
    the_provider,
    the_tenancy,
)
from tests.compile.test_compile_properties import OPTIONS
from tests.compile.worlds import World, edits, worlds

LONG: dict[str, Any] = {
    "models": [
        model(f"m{number:02d}", displayName=hashlib.sha512(str(number).encode()).hexdigest()) for number in range(90)
    ]
}
"""Does not compress well."""
HUGE = provider("huge", namespace="team-z", **LONG)
TIGHT = Settings(max_compressed_bytes=1500)
CREDENTIALS = {"secretRef": {"name": "keys", "key": "key"}}
LOCKED = provider(credentials=CREDENTIALS)
PLACES = [namespace("team-a"), namespace("team-b", llm="yes")]


def tight(*objects: dict[str, Any], **given: Any) -> Compilation:
    return compiled(*objects, settings=given.pop("settings", TIGHT), **given)


def too_large(result: Compilation) -> list[str]:
    return [f"{item.kind} {item.name} {item.severity}" for item in about(result, "SnapshotTooLarge")]


def test_a_secret_withdrawn_takes_effect_while_an_oversized_edit_is_refused() -> None:
    first = tight(LOCKED, policy(), secrets=[secret()])
    second = tight(edited(LOCKED, **LONG), policy(), previous=first)
    found = the_provider(second)
    assert (found.generation, found.withheld, [item.name for item in found.models]) == (1, "SecretNotFound", ["small"])
    assert found.credential is not None
    assert found.credential.version == ""
    assert (second.changed, second.snapshot.manifest.version) == (True, (1, 2))
    conditions = state(second, "ModelProvider", "team-a/openai")
    assert (conditions.accepted, conditions.accepted_reason, conditions.generation_in_force) == (
        False,
        "SnapshotTooLarge",
        1,
    )
    third = tight(edited(LOCKED, **LONG), policy(), secrets=[secret()], previous=second)
    assert the_provider(third) == the_provider(first)


def test_deleting_takes_effect_while_an_oversized_edit_is_refused() -> None:
    first = tight(provider(), policy(), policy("second"))
    second = tight(policy(), HUGE, previous=first)
    assert fragments(second).keys() == {"RoutingPolicy team-a/main", "Tenancy /tenancy"}
    assert the_policy(second).targets[0].unresolved == "ProviderNotFound"
    assert too_large(second) == ["ModelProvider huge Error"]
    assert second.left_out is not None
    assert "1500" in second.left_out
    assert tight(policy(), HUGE, previous=second).snapshot is second.snapshot
    assert tight(policy(), previous=second).left_out is None


LABELLED_ONLY = {"from": "Selector", "selector": {"matchLabels": {"llm": "yes"}}}
UNLABELLED_ONLY = {"from": "Selector", "selector": {"matchExpressions": [{"key": "llm", "operator": "DoesNotExist"}]}}


@pytest.mark.parametrize(
    ("before", "after", "visible"),
    [
        ({"from": "All"}, {"from": "Same"}, ("Same", ())),
        ({"from": "All"}, LABELLED_ONLY, ("Selector", ("team-b",))),
        (LABELLED_ONLY, {"from": "Same"}, ("Same", ())),
        (LABELLED_ONLY, UNLABELLED_ONLY, ("Selector", ("team-z",))),
        ({"from": "Same"}, {"from": "All"}, ("Same", ())),
        ({"from": "Same"}, LABELLED_ONLY, ("Same", ())),
        (LABELLED_ONLY, {"from": "All"}, ("Selector", ("team-b",))),
    ],
)
def test_of_an_edit_that_waits_only_who_may_no_longer_use_the_provider_takes_effect(
    before: dict[str, Any], after: dict[str, Any], visible: tuple[str, tuple[str, ...]]
) -> None:
    places = [*PLACES, namespace("team-z")]
    first = tight(provider(allowedNamespaces=before), namespaces=places)
    second = tight(edited(provider(), allowedNamespaces=after, **LONG), namespaces=places, previous=first)
    found = the_provider(second)
    assert (found.visible_from, found.visible_namespaces) == visible
    assert (found.generation, found.models) == (1, the_provider(first).models)
    assert too_large(second) == ["ModelProvider openai Error"]


def test_a_label_taken_from_a_namespace_takes_effect() -> None:
    shared, user = (
        provider(allowedNamespaces=LABELLED_ONLY),
        policy(namespace="team-b", targets=[ref(namespace="team-a")]),
    )
    first = tight(shared, user, namespaces=PLACES)
    second = tight(shared, user, HUGE, namespaces=[namespace("team-a"), namespace("team-b")], previous=first)
    assert the_provider(second).visible_namespaces == ()
    assert the_policy(second, "team-b/main").targets[0].unresolved == "ReferenceNotPermitted"
    assert state(second, "RoutingPolicy", "team-b/main").accepted


def test_a_lost_claim_takes_effect() -> None:
    claim = budget("ws", compliance=["GDPR"])
    first = tight(claim, namespaces=[namespace("team-a", workspaces="ws"), namespace("team-b")])
    assert the_tenancy(first).owner_of("ws") == "team-a"
    second = tight(claim, HUGE, namespaces=[namespace("team-a"), namespace("team-b", workspaces="ws")], previous=first)
    assert fragments(second).keys() == {"Tenancy /tenancy"}
    assert the_tenancy(second).owner_of("ws") == "team-b"
    assert state(second, "WorkspaceBudget", "team-a/budget").accepted_reason == "NotPermitted"


def test_a_workspace_that_a_claim_lets_go_of_is_not_owned_by_it_any_more() -> None:
    first = tight(budget("team-a", compliance=["GDPR"]), namespaces=PLACES)
    second = tight(edited(budget("team-a"), workspace="ws"), HUGE, namespaces=PLACES, previous=first)
    assert fragments(second).keys() == {"Tenancy /tenancy"}
    assert state(second, "WorkspaceBudget", "team-a/budget").accepted_reason == "NotPermitted"


def test_a_claim_that_waits_owns_nothing_and_the_one_it_replaces_is_judged_by_the_rules_of_today() -> None:
    listed = [namespace("team-a", workspaces="ws"), namespace("team-b"), namespace("fairlead-system")]
    tenant, platform = budget("ws"), budget("one", namespace="fairlead-system")
    first = tight(tenant, platform, namespaces=listed)
    moved = [edited(tenant, workspace="team-a"), edited(platform, workspace="two")]
    second = tight(*moved, HUGE, namespaces=listed, previous=first)
    assert second.snapshot is first.snapshot
    third = tight(*moved, HUGE, namespaces=[namespace("team-a"), *listed[1:]], previous=second)
    assert fragments(third).keys() == {"WorkspaceBudget fairlead-system/budget", "Tenancy /tenancy"}
    owners = the_tenancy(third).owners
    assert (owners.get("ws"), owners.get("one"), owners.get("two")) == (None, "fairlead-system", None)


def test_a_policy_that_may_no_longer_override_goes() -> None:
    platform = Settings(frozenset({"team-a"}), max_compressed_bytes=1500)
    first = tight(provider(), policy(precedence="Override"), settings=platform)
    second = tight(provider(), policy(precedence="Override"), HUGE, previous=first)
    assert fragments(second).keys() == {"ModelProvider team-a/openai", "Tenancy /tenancy"}


def test_suspending_takes_effect() -> None:
    first = tight(provider(), policy())
    second = tight(provider(), edited(policy(), suspend=True), HUGE, previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(second)


def test_an_object_made_anew_under_an_old_name_waits_and_the_old_one_is_gone() -> None:
    first = tight(provider(), policy())
    second = tight(provider(), policy(uid="another"), HUGE, previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(second)
    assert too_large(second) == ["ModelProvider huge Error", "RoutingPolicy main Error"]


def test_a_broken_generation_beside_an_oversized_one_keeps_its_last_good_one() -> None:
    first = tight(provider(), policy())
    second = tight(provider(), broken(policy()), HUGE, previous=first)
    assert second.snapshot is first.snapshot
    assert too_large(second) == ["ModelProvider huge Error"]
    restarted = tight(provider(), broken(policy()), HUGE, previous=Previous.from_snapshot(first.snapshot))
    assert encoded(restarted) == encoded(second)


def test_what_is_in_force_but_lacks_something_that_is_left_out_is_warned_and_stays_accepted() -> None:
    first = tight(policy(targets=[ref("huge", "m01", "team-z")]))
    open_to_all = edited(HUGE, allowedNamespaces={"from": "All"})
    second = tight(policy(targets=[ref("huge", "m01", "team-z")]), open_to_all, previous=first)
    assert second.snapshot is first.snapshot
    assert too_large(second) == ["ModelProvider huge Error", "RoutingPolicy main Warning"]
    assert state(second, "RoutingPolicy", "team-a/main").accepted


MANY = tuple(Namespace(f"preview-{number * 7919 % 104729:x}", labels={"llm": "yes"}) for number in range(2000))


def test_namespaces_that_are_too_many_delay_no_withdrawal() -> None:
    shared = provider(credentials=CREDENTIALS, allowedNamespaces=LABELLED_ONLY)
    first = tight(shared, policy(), secrets=[secret()], namespaces=PLACES)
    second = tight(shared, policy(), namespaces=[*PLACES, *MANY], previous=first)
    found = the_provider(second)
    assert (found.withheld, found.visible_namespaces) == ("SecretNotFound", ("team-b",))
    assert the_tenancy(second).owners.keys() == {"team-a", "team-b"}
    assert second.left_out is not None
    assert too_large(second) == ["ModelProvider openai Warning"]


def marks_do_not_fit(first: Compilation) -> Settings:
    """The budget that what is published takes, to the byte."""
    return Settings(max_compressed_bytes=len(first.snapshot.payload))


def test_a_provider_whose_mark_does_not_fit_goes_and_its_policies_stay_as_they_were() -> None:
    shared = provider(allowedNamespaces=LABELLED_ONLY)
    users = [policy(f"p{number}", namespace="team-b", targets=[ref(namespace="team-a")]) for number in range(3)]
    first = tight(
        shared, provider("other"), *users, namespaces=[PLACES[0], namespace("team-b", workspaces="w", llm="yes")]
    )
    assert the_tenancy(first).owner_of("w") == "team-b"
    bare = [namespace("team-a"), namespace("team-b")]
    second = tight(
        shared, provider("other"), *users, HUGE, namespaces=bare, previous=first, settings=marks_do_not_fit(first)
    )
    before, after = fragments(first), fragments(second)
    assert after.keys() == before.keys() - {"ModelProvider team-a/openai"}
    assert [key for key in after if after[key] != before[key]] == ["Tenancy /tenancy"]
    assert the_tenancy(second).owner_of("w") is None


def test_a_policy_that_lost_the_platform_goes_even_if_its_mark_does_not_fit() -> None:
    platform = Settings(frozenset({"team-b"}), max_compressed_bytes=1500)
    item = policy(namespace="team-b")
    first = tight(provider(), item, settings=platform, namespaces=PLACES)
    assert the_policy(first, "team-b/main").platform
    least = compiled(provider(), namespaces=PLACES)
    second = tight(
        provider(),
        item,
        HUGE,
        namespaces=PLACES,
        previous=first,
        settings=Settings(max_compressed_bytes=len(least.snapshot.payload)),
    )
    assert fragments(second) == fragments(least)


def test_if_nothing_fits_the_one_before_stays() -> None:
    first = tight(provider(), policy())
    second = tight(policy(), previous=first, settings=Settings(max_compressed_bytes=10))
    assert second.snapshot is first.snapshot
    assert second.left_out is not None


def marks(fragment: AnyFragment) -> list[bool]:
    """For everything that can be withdrawn from a fragment, whether it is."""
    match fragment:
        case ProviderFragment():
            return [fragment.withheld is not None]
        case PolicyFragment():
            return [item.unresolved is not None for item in (*fragment.targets, *fragment.fallbacks)]
    return []


def without_visibility(intent: Intent | None) -> Intent | None:
    if isinstance(intent, ProviderFragment):
        return msgspec.structs.replace(intent, visible_from="Same", visible_selector=None)
    return intent


@OPTIONS
@given(worlds(), st.data())
def test_what_is_published_instead_is_of_before_and_permitted_today(world: World, data: st.DataObject) -> None:
    first = compile_resources(world.resources, None, Settings())
    room = len(first.snapshot.payload) + data.draw(st.sampled_from([-40, 0, 0, 40]))
    changed = world
    for number in range(data.draw(st.integers(1, 3))):
        changed = data.draw(edits(changed, 100 + number))
    whole = compile_resources(changed.resources, first.previous, Settings())
    result = compile_resources(changed.resources, first.previous, Settings(max_compressed_bytes=room))
    if result.left_out is None or result.snapshot is first.snapshot:
        return
    before, today, published = fragments(first), fragments(whole), fragments(result)
    assert published.keys() <= before.keys()
    assert published.keys() <= today.keys()
    assert len(result.snapshot.payload) <= room
    for key, fragment in published.items():
        if isinstance(fragment, TenancyFragment):
            continue
        assert without_visibility(intent_of(fragment)) == without_visibility(intent_of(before[key]))
        if isinstance(fragment, WorkspaceFragment) or fragment.generation != today[key].generation:
            continue
        for withdrawn, here in zip(marks(today[key]), marks(fragment), strict=True):
            target_gone = isinstance(fragment, PolicyFragment) and len(published) < len(before)
            assert here or not withdrawn or target_gone
    restarted = compile_resources(
        changed.resources, Previous.from_snapshot(first.snapshot), Settings(max_compressed_bytes=room)
    )
    assert encoded(restarted) == encoded(result)


@OPTIONS
@given(worlds(), st.data())
def test_withdrawals_alone_are_published_as_if_nothing_had_been_too_large(world: World, data: st.DataObject) -> None:
    first = compile_resources(world.resources, None, Settings())
    gone = data.draw(st.sets(st.sampled_from(sorted(world.objects))))
    slots = {slot for slot in gone if slot[0] != "WorkspaceBudget"}  # without one claim the next would be new
    less = World({key: item for key, item in world.objects.items() if key not in slots}, world.namespaces, ())
    expected = compile_resources(less.resources, first.previous, Settings())
    with_huge = replace(less.resources, objects=(*less.resources.objects, HUGE))
    result = compile_resources(with_huge, first.previous, Settings(max_compressed_bytes=4000))
    assert result.left_out is not None
    assert fragments(result) == fragments(expected)
