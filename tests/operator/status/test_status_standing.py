"""Since when an object stands as it does, whatever is published meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile import Compilation
from fairlead_crds.compile.declared import ObjectKey
from fairlead_operator.status import Standing, track
from tests.compile.objects import broken, compiled, edited, experiment, policy, provider, ref, secret
from tests.compile.worlds import World, edits, worlds

MAIN, OPENAI = ObjectKey("RoutingPolicy", "team-a", "main"), ObjectKey("ModelProvider", "team-a", "openai")


def standing(compilation: Compilation, before: Mapping[ObjectKey, Standing] | None = None) -> dict[ObjectKey, Standing]:
    version = compilation.snapshot.manifest.version
    return track(before or {}, compilation.previous.entries, compilation.states, version)


def since(found: Mapping[ObjectKey, Standing]) -> dict[str, int]:
    """Revision by name."""
    return {key.name: item.since[1] for key, item in found.items()}


def test_with_nothing_before_everything_stands_since_now() -> None:
    assert since(standing(compiled(provider(), policy()))) == {"main": 1, "openai": 1}


def test_an_edit_moves_only_what_it_touches() -> None:
    first = compiled(provider(), policy())
    second = compiled(provider(), edited(policy(), priority=5), previous=first)
    assert since(standing(second, standing(first))) == {"main": 2, "openai": 1}


def test_a_snapshot_that_stays_moves_nothing() -> None:
    first = compiled(provider(), policy())
    before = standing(first)
    assert standing(compiled(provider(), policy(), previous=first), before) == before


def test_an_invalid_edit_leaves_what_is_in_force_where_it_stands() -> None:
    first = compiled(provider(), policy())
    second = compiled(edited(provider(), models=[{"name": "small"}]), broken(policy()), previous=first)
    assert since(standing(second, standing(first))) == {"main": 1, "openai": 2}


def test_a_new_secret_moves_the_provider_that_uses_it() -> None:
    locked = provider(credentials={"secretRef": {"name": "keys", "key": "key"}})
    first = compiled(locked, policy(), secrets=[secret(keys={"key": "v1"})])
    second = compiled(locked, policy(), secrets=[secret(keys={"key": "v2"})], previous=first)
    assert since(standing(second, standing(first))) == {"main": 1, "openai": 2}


def test_a_suspended_policy_stands_since_the_snapshot_it_left() -> None:
    first = compiled(provider(), policy())
    suspended = edited(policy(), suspend=True)
    second = compiled(provider(), suspended, previous=first)
    before = standing(second, standing(first))
    assert since(before) == {"main": 2, "openai": 1}
    third = compiled(edited(provider(), models=[{"name": "small"}]), suspended, previous=second)
    assert since(standing(third, before)) == {"main": 2, "openai": 3}


def test_an_object_made_anew_under_its_name_stands_since_then() -> None:
    first = compiled(provider(uid="old"))
    second = compiled(provider(uid="new"), previous=first)
    assert since(standing(second, standing(first))) == {"openai": 2}


def test_what_is_deleted_is_forgotten() -> None:
    first = compiled(provider(), policy())
    assert set(standing(compiled(provider(), previous=first), standing(first))) == {OPENAI}


def test_an_experiment_stands_although_no_snapshot_holds_it() -> None:
    arms = [{"modelRef": ref()}, {"modelRef": ref()}]
    first = compiled(provider(), policy(), experiment(arms=arms, policyRef={"name": "main"}))
    assert since(standing(first))["test"] == 1


def test_of_a_name_declared_twice_the_one_that_counts_stands() -> None:
    found = standing(compiled(provider(uid="a"), provider(uid="b")))
    assert found[OPENAI].mark[0] == "a"


@given(st.data(), worlds())
def test_an_object_moves_exactly_if_what_is_in_force_of_it_changes(data: st.DataObject, world: World) -> None:
    first = compiled(*world.objects.values(), namespaces=world.namespaces, secrets=world.secrets)
    later = data.draw(edits(world, 20))
    second = compiled(*later.objects.values(), namespaces=later.namespaces, secrets=later.secrets, previous=first)
    before, after = standing(first), standing(second, standing(first))
    entries, entries_before = second.previous.entries, first.previous.entries
    for key, item in after.items():
        entry, was = entries.get(key), entries_before.get(key)
        if entry is not None:
            same = was is not None and (was.uid, was.digest) == (entry.uid, entry.digest)
        else:
            same = was is None and key in before and before[key].mark == item.mark
        assert item.since == (before[key].since if same else second.snapshot.manifest.version)
