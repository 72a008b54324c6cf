"""Paused objects: what is in force stays, whatever is written, and whatever others withdraw still goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.fragments import AnyFragment
from fairlead_crds.compile import Compilation, Previous, Settings, compile_resources
from tests.compile.objects import (
    about,
    annotated,
    broken,
    budget,
    compiled,
    edited,
    encoded,
    experiment,
    fragments,
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
from tests.compile.test_compile_properties import INSTALLATION, OPTIONS, run
from tests.compile.worlds import Slot, World, edits, specs, worlds

FIELD = 'metadata.annotations["fairlead.dev/paused"]'
CREDENTIALS = {"secretRef": {"name": "keys", "key": "key"}}


def paused(item: Mapping[str, Any], value: object = "true") -> dict[str, Any]:
    """The object with the annotation, which makes no new generation."""
    return annotated(item, "fairlead.dev/paused", value)


def conditions(result: Compilation, kind: str, key: str) -> tuple[int | None, bool, str]:
    found = state(result, kind, key)
    return (found.generation_in_force, found.accepted, found.accepted_reason)


@pytest.mark.parametrize("restart", [False, True])
def test_pausing_what_is_in_force_as_written_changes_nothing_but_the_reason(restart: bool) -> None:
    first = compiled(provider(), policy())
    before = Previous.from_snapshot(first.snapshot) if restart else first.previous
    second = compiled(paused(provider()), paused(policy()), previous=before)
    assert second.snapshot is first.snapshot
    assert second.findings == ()
    assert conditions(second, "RoutingPolicy", "team-a/main") == (1, True, "Paused")
    assert conditions(second, "ModelProvider", "team-a/openai") == (1, True, "Paused")
    assert compiled(provider(), policy(), previous=second).states == first.states


@pytest.mark.parametrize(
    "change", [{"priority": 7}, {"targets": []}, {"strategy": "Pareto"}, {"suspend": True}, {"surprise": 1}]
)
@pytest.mark.parametrize("restart", [False, True])
def test_what_is_written_while_paused_waits_for_the_annotation_to_go(change: dict[str, Any], restart: bool) -> None:
    first = compiled(provider(), policy())
    before = Previous.from_snapshot(first.snapshot) if restart else first.previous
    written = edited(policy(), **change)
    second = compiled(provider(), paused(written), previous=before)
    assert second.snapshot is first.snapshot
    (finding,) = about(second, "Paused")
    assert (finding.name, finding.field, finding.severity) == ("main", FIELD, "Warning")
    assert "generation 1 stays in force" in finding.message
    assert "remove the annotation fairlead.dev/paused to let generation 2 in" in finding.message
    assert conditions(second, "RoutingPolicy", "team-a/main") == (1, False, "Paused")
    assert state(second, "RoutingPolicy", "team-a/main").resolved_refs
    released = compiled(provider(), written, previous=second)
    assert encoded(released) == encoded(compiled(provider(), written, previous=before))


def test_errors_of_what_is_written_are_told_although_it_waits() -> None:
    first = compiled(provider(), policy())
    second = compiled(provider(), paused(broken(policy())), previous=first)
    assert [reason for _, _, reason in said(second)] == ["Paused", "Invalid"]
    assert about(second, "Paused")[0].message.endswith("and mend what else is reported of it")


def test_the_annotation_alone_decides_although_it_makes_no_new_generation() -> None:
    first = compiled(provider(), policy())
    written = edited(policy(), priority=7)
    held = compiled(provider(), paused(written), previous=first)
    let_in = compiled(provider(), written, previous=held)
    assert the_policy(let_in).priority == 7
    held_again = compiled(provider(), paused(edited(written, priority=8)), previous=let_in)
    assert (the_policy(held_again).generation, the_policy(held_again).priority) == (2, 7)
    assert the_policy(compiled(provider(), edited(written, priority=8), previous=held_again)).priority == 8


@pytest.mark.parametrize(
    ("kind", "key", "item"),
    [
        ("RoutingPolicy", "team-a/main", policy()),
        ("ModelProvider", "team-a/openai", provider()),
        ("WorkspaceBudget", "team-a/budget", budget("team-a")),
        ("ABTest", "team-a/test", experiment(arms=[{"modelRef": ref()}, {"modelRef": ref()}], policyRef={"name": "m"})),
    ],
)
def test_what_was_never_accepted_is_not_in_force_while_paused(kind: str, key: str, item: dict[str, Any]) -> None:
    result = compiled(paused(item))
    assert fragments(result).keys() == {"Tenancy /tenancy"}
    assert conditions(result, kind, key) == (None, False, "Paused")
    assert about(result, "Paused")[0].message.startswith(f"nothing of this {kind} is in force, because it is paused")


def test_an_object_made_anew_inherits_nothing_from_its_namesake_by_being_paused() -> None:
    first = compiled(provider(), policy())
    second = compiled(provider(), paused(policy(uid="another")), previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(second)


def test_a_suspended_policy_that_is_paused_stays_suspended() -> None:
    first = compiled(provider(), policy(suspend=True))
    second = compiled(provider(), paused(policy(suspend=True)), previous=first)
    assert (second.snapshot, second.findings, second.states) == (first.snapshot, first.findings, first.states)
    third = compiled(provider(), paused(edited(policy(), suspend=False)), previous=second)
    assert third.snapshot is first.snapshot
    assert conditions(third, "RoutingPolicy", "team-a/main") == (None, False, "Paused")


def test_where_generations_count_contents_the_annotation_itself_is_no_edit() -> None:
    first = compiled(provider(), policy())
    again = compiled(provider(), paused(edited(policy())), previous=first)
    assert again.findings == ()
    assert conditions(again, "RoutingPolicy", "team-a/main") == (2, True, "Paused")


def test_without_uids_what_is_written_is_compared_with_what_is_in_force() -> None:
    first = compiled(policy(uid="", generation=0), provider())
    kept = compiled(paused(policy(uid="", generation=0, priority=7)), provider(), previous=first)
    assert kept.snapshot is first.snapshot
    assert state(kept, "RoutingPolicy", "team-a/main").accepted_reason == "Paused"
    assert not state(kept, "RoutingPolicy", "team-a/main").accepted


def test_a_secret_withdrawn_takes_effect_on_a_paused_provider() -> None:
    item = provider(credentials=CREDENTIALS)
    first = compiled(item, secrets=[secret()])
    second = compiled(paused(edited(item, models=[model("other")])), previous=first)
    found = the_provider(second)
    assert (found.generation, found.withheld, found.models[0].name) == (1, "SecretNotFound", "small")
    assert "in generation 1, the last accepted one" in about(second, "SecretNotFound")[0].message


@pytest.mark.parametrize("written", [{}, {"generation": 2}])
def test_a_permission_withdrawn_takes_effect_on_a_paused_object(written: dict[str, int]) -> None:
    claim, high = budget("ws", namespace="team-a"), policy(precedence="Override", namespace="ops")
    platform = Settings(frozenset({"ops"}))
    first = compiled(claim, high, namespaces=[namespace("team-a", workspaces="ws")], settings=platform)
    assert {"WorkspaceBudget team-a/budget", "RoutingPolicy ops/main"} <= fragments(first).keys()
    changed = [budget("ws", compliance=["GDPR"], **written), policy(precedence="Override", namespace="ops", **written)]
    second = compiled(*map(paused, changed if written else [claim, high]), previous=first)
    assert fragments(second).keys() == {"Tenancy /tenancy"}
    assert conditions(second, "WorkspaceBudget", "team-a/budget") == (None, False, "NotPermitted")
    assert conditions(second, "RoutingPolicy", "ops/main") == (None, False, "NotPermitted")


def test_deleting_a_paused_object_takes_effect() -> None:
    first = compiled(provider(), policy())
    going = paused(policy())
    going["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    assert "RoutingPolicy team-a/main" not in fragments(compiled(provider(), going, previous=first))
    assert "RoutingPolicy team-a/main" not in fragments(compiled(provider(), previous=first))


@pytest.mark.parametrize("value", ["True", "yes", "", True, {}, 1])
def test_any_other_value_is_remarked_upon_and_pauses_nothing(value: object) -> None:
    first = compiled(provider(), policy())
    second = compiled(provider(), paused(edited(policy(), priority=7), value), previous=first)
    (finding,) = [item for item in second.findings if item.severity == "Warning"]
    assert (finding.field, finding.reason) == (FIELD, "Invalid")
    assert 'only if it is "true"' in finding.message
    assert state(second, "RoutingPolicy", "team-a/main").accepted is isinstance(value, str)
    if isinstance(value, str):
        assert the_policy(second).priority == 7


def test_false_is_as_good_as_no_annotation() -> None:
    assert encoded(compiled(provider(), paused(policy(), "false"))) == encoded(compiled(provider(), policy()))


def test_a_check_of_files_looks_at_what_is_written() -> None:
    written = [paused(provider()), paused(policy())]
    result = compiled(*written, settings=Settings(heed_pauses=False))
    assert encoded(result) == encoded(compiled(provider(), policy()))


def pausing(world: World, slots: set[Slot]) -> World:
    objects = {key: paused(item) if key in slots else item for key, item in world.objects.items()}
    return World(objects, world.namespaces, world.secrets)


def contents(result: Compilation) -> dict[str, AnyFragment]:
    """What is in force, under whatever number."""
    return {key: msgspec.structs.replace(item, generation=0) for key, item in fragments(result).items()}


@OPTIONS
@given(worlds(), st.data())
def test_no_edit_of_a_paused_object_changes_what_is_in_force(world: World, data: st.DataObject) -> None:
    slots = data.draw(st.sets(st.sampled_from(sorted(world.objects)), min_size=1))
    first = run(world)
    frozen = run(pausing(world, slots), first.previous)
    assert frozen.snapshot is first.snapshot
    for number, slot in enumerate(sorted(slots)):
        world = world.put(slot, data.draw(specs(slot[0])), 100 + number)
    after = run(pausing(world, slots), frozen.previous)
    assert contents(after) == contents(first)
    for item in after.states:
        if (item.kind, item.namespace, item.name) in slots:
            assert item.accepted_reason != "Accepted"
            assert not item.accepted or item.generation_in_force in (item.generation, None)


@OPTIONS
@given(worlds(), st.data())
def test_what_is_remembered_changes_no_result_of_pauses(world: World, data: st.DataObject) -> None:
    current = run(world)
    for step in range(data.draw(st.integers(1, 4))):
        world = data.draw(edits(world, 100 + step))
        slots = data.draw(st.sets(st.sampled_from(sorted(world.objects)))) if world.objects else set()
        resources = pausing(world, slots).resources
        forgetful = compile_resources(resources, Previous.from_snapshot(current.snapshot), INSTALLATION)
        current = compile_resources(resources, current.previous, INSTALLATION)
        assert encoded(current) == encoded(forgetful)
