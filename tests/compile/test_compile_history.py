"""From one compilation to the next: last good, revisions, epochs, restarts, size."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.snapshot import SnapshotRejected, decode_fragment
from fairlead_crds.compile import Previous, Settings
from tests.compile.objects import (
    about,
    broken,
    budget,
    compiled,
    edited,
    fragments,
    model,
    policy,
    provider,
    said,
    state,
    the_policy,
    the_provider,
)

MISTAKES: list[dict[str, Any]] = [{"surprise": True}, {"strategy": "Pareto"}, {"targets": []}, {"priority": "high"}]


def test_the_first_snapshot_is_epoch_one_revision_one() -> None:
    result = compiled()
    assert result.snapshot.manifest.version == (1, 1)
    assert result.changed


def test_unchanged_content_returns_the_very_same_snapshot() -> None:
    first = compiled(provider(), policy())
    second = compiled(policy(), provider(), previous=first)
    assert second.snapshot is first.snapshot
    assert not second.changed


def test_a_change_raises_the_revision_by_one() -> None:
    first = compiled(provider())
    second = compiled(provider(), policy(), previous=first)
    assert second.snapshot.manifest.version == (1, 2)
    assert second.changed
    third = compiled(provider(), policy(), broken(provider("new")), previous=second)
    assert third.snapshot is second.snapshot


def test_a_new_epoch_begins_at_revision_one_even_with_the_same_content() -> None:
    first = compiled(provider())
    moved = compiled(provider(), previous=first, epoch=5)
    assert moved.snapshot.manifest.version == (5, 1)
    assert moved.snapshot.payload == first.snapshot.payload
    assert moved.changed
    assert compiled(provider(), policy(), previous=moved).snapshot.manifest.version == (5, 2)
    assert compiled(epoch=3).snapshot.manifest.version == (3, 1)
    assert not compiled(provider(), previous=moved, epoch=5).changed


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("restart", [False, True])
def test_a_broken_generation_leaves_the_last_good_one_in_force(mistake: dict[str, Any], restart: bool) -> None:
    item = policy()
    first = compiled(provider(), item)
    before = Previous.from_snapshot(first.snapshot) if restart else first.previous
    second = compiled(provider(), broken(item, **mistake), previous=before)
    assert second.snapshot is first.snapshot
    found = state(second, "RoutingPolicy", "team-a/main")
    assert (found.generation, found.generation_in_force, found.accepted) == (2, 1, False)
    assert found.accepted_reason in {"Invalid", "NotImplemented"}
    assert found.resolved_refs
    third = compiled(provider(), policy(generation=3, priority=7), previous=second)
    assert (the_policy(third).generation, the_policy(third).priority) == (3, 7)


def test_an_object_never_accepted_is_left_out() -> None:
    result = compiled(broken(policy()))
    assert fragments(result).keys() == {
        "Tenancy /tenancy",
    }
    found = state(result, "RoutingPolicy", "team-a/main")
    assert (found.generation_in_force, found.accepted_reason, found.resolved_refs) == (None, "Invalid", False)


def test_an_object_made_anew_under_an_old_name_inherits_nothing() -> None:
    first = compiled(provider(), policy())
    second = compiled(provider(), broken(policy(uid="another")), previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(second)


def test_a_generation_kept_back_is_linked_with_the_world_of_today() -> None:
    shared = provider(models=[model(), model("other")])
    first = compiled(shared, policy())
    second = compiled(edited(shared, models=[model("other")]), broken(policy()), previous=first)
    assert the_policy(second).targets[0].unresolved == "ModelNotFound"
    third = compiled(edited(shared, models=[model("other")]), broken(policy()), previous=second)
    assert third.snapshot is second.snapshot
    back = compiled(edited(edited(shared)), broken(policy()), previous=third)
    assert the_policy(back).targets[0].unresolved is None


def test_a_provider_kept_back_still_serves_its_referrers() -> None:
    first = compiled(provider(), policy())
    second = compiled(broken(provider()), policy(), previous=first)
    assert second.snapshot is first.snapshot
    assert state(second, "RoutingPolicy", "team-a/main").resolved_refs


def test_suspending_is_a_generation_like_any_other() -> None:
    first = compiled(provider(), policy())
    suspended = compiled(provider(), edited(policy(), suspend=True), previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(suspended)
    after = compiled(provider(), broken(edited(policy(), suspend=True)), previous=suspended)
    assert "RoutingPolicy team-a/main" not in fragments(after)


def test_suspending_takes_effect_even_beside_a_field_that_is_not_implemented() -> None:
    first = compiled(provider(), policy())
    result = compiled(provider(), edited(policy(), suspend=True, strategy="Pareto"), previous=first)
    assert "RoutingPolicy team-a/main" not in fragments(result)
    assert state(result, "RoutingPolicy", "team-a/main").accepted_reason == "NotImplemented"


def test_a_broken_budget_keeps_its_claim_across_a_restart() -> None:
    first = compiled(budget("team-a", compliance=["GDPR"]))
    restarted = Previous.from_snapshot(first.snapshot)
    second = compiled(broken(budget("team-a")), previous=restarted)
    assert second.snapshot is first.snapshot


def test_objects_without_a_uid_are_never_taken_for_known() -> None:
    first = compiled(provider(uid=""))
    second = compiled(provider(uid="", models=[model("other")]), previous=first)
    assert the_provider(second).models[0].name == "other"


def test_a_damaged_snapshot_is_refused_on_restart() -> None:
    damaged = compiled(provider()).snapshot
    with pytest.raises(SnapshotRejected):
        Previous.from_snapshot(type(damaged)(damaged.manifest, damaged.payload[:-3]))


LONG: dict[str, Any] = {
    "models": [model(f"m{number:02d}", displayName=f"{number * 7919 % 104729:x}" * 20) for number in range(90)]
}
TIGHT = Settings(max_compressed_bytes=1500)


def test_a_snapshot_that_would_be_too_large_leaves_the_one_before_and_says_so_where_it_was_edited() -> None:
    first = compiled(provider(), policy(), settings=TIGHT)
    second = compiled(provider(), policy(), provider("huge", **LONG), settings=TIGHT, previous=first)
    assert second.snapshot is first.snapshot
    assert not second.changed
    (finding,) = about(second, "SnapshotTooLarge")
    assert (finding.name, finding.severity) == ("huge", "Error")
    assert "1500" in finding.message
    found = state(second, "ModelProvider", "team-a/huge")
    assert (found.accepted, found.accepted_reason, found.generation_in_force) == (False, "SnapshotTooLarge", None)
    assert state(second, "ModelProvider", "team-a/openai").accepted
    grown = compiled(edited(provider(), **LONG), policy(), settings=TIGHT, previous=second)
    assert state(grown, "ModelProvider", "team-a/openai").generation_in_force == 1
    assert compiled(provider(), policy(), settings=TIGHT, previous=grown).findings == first.findings


def test_a_first_snapshot_that_is_too_large_publishes_nothing_at_all() -> None:
    result = compiled(provider("huge", **LONG), settings=TIGHT)
    assert fragments(result) == {}
    assert result.snapshot.manifest.version == (1, 1)
    assert [reason for _, _, reason in said(result)] == ["SnapshotTooLarge"]
    assert compiled(provider("huge", **LONG), settings=TIGHT, previous=result).snapshot is result.snapshot
    assert compiled(provider(), settings=TIGHT, previous=result).snapshot.manifest.version == (1, 2)


def test_a_new_epoch_is_published_even_while_the_content_is_too_large() -> None:
    first = compiled(provider(), settings=TIGHT)
    second = compiled(provider(), provider("huge", **LONG), settings=TIGHT, previous=first, epoch=2)
    assert (second.snapshot.manifest.version, second.changed) == ((2, 1), True)
    assert fragments(second) == fragments(first)


def test_entries_carry_the_digest_of_their_fragment() -> None:
    result = compiled(provider(), policy())
    for entry in result.previous.entries.values():
        assert decode_fragment(entry.fragment).uid == entry.uid
        assert len(entry.digest) == 32
