"""What holds of every world."""

from __future__ import annotations

from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead_contract.fragments import PolicyFragment
from fairlead_contract.snapshot import decode_fragment, encode_fragment, unseal
from fairlead_crds.compile import Compilation, Previous, Reason, Resources, Settings, compile_resources
from tests.compile.objects import broken, encoded, fragment_bytes, fragments
from tests.compile.worlds import Slot, World, edits, worlds

T = TypeVar("T")
OPTIONS = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
INSTALLATION = Settings()


def run(world: World, previous: Previous | None = None) -> Compilation:
    return compile_resources(world.resources, previous, INSTALLATION)


@OPTIONS
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_is_irrelevant(world: World, random: Random) -> None:
    def shuffled(part: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(part, len(part)))

    other = Resources(shuffled(world.resources.objects), shuffled(world.namespaces), shuffled(world.secrets))
    assert encoded(compile_resources(other, None, INSTALLATION)) == encoded(run(world))


@OPTIONS
@given(worlds(min_size=0))
def test_equal_input_gives_equal_bytes(world: World) -> None:
    assert encoded(run(world)) == encoded(run(world))
    again = run(world, run(world).previous)
    assert again.snapshot.to_bytes() == run(world).snapshot.to_bytes()
    assert not again.changed


@OPTIONS
@given(worlds())
def test_findings_and_states_are_sorted_and_about_declared_objects(world: World) -> None:
    result = run(world)
    assert list(result.findings) == sorted(set(result.findings))
    assert [(item.kind, item.namespace, item.name) for item in result.states] == sorted(world.objects)
    assert {(item.kind, item.namespace, item.name) for item in result.findings} <= set(world.objects)


@OPTIONS
@given(worlds())
def test_states_agree_with_what_is_published(world: World) -> None:
    result = run(world)
    published = {key: decode_fragment(data).generation for key, data in fragment_bytes(result).items()}
    for item in result.states:
        key = (item.kind, item.namespace, item.name)
        assert published.get(key) == item.generation_in_force
        assert (item.generation_in_force == item.generation) is (item.accepted and item.accepted_reason == "Accepted")


@OPTIONS
@given(worlds())
def test_every_fragment_survives_the_wire_byte_for_byte(world: World) -> None:
    for entry in unseal(run(world).snapshot).entries:
        assert encode_fragment(decode_fragment(entry.fragment)) == bytes(entry.fragment)


def dependents(result: Compilation, slot: Slot) -> set[Slot]:
    """Objects whose fragment may change when ``slot`` goes."""
    kind, namespace, name = slot
    found: set[Slot] = {("Tenancy", "", "tenancy"), slot}
    if kind == "ModelProvider":
        for fragment in fragments(result).values():
            if isinstance(fragment, PolicyFragment):
                refs = [target.model for target in fragment.targets] + [item.model for item in fragment.fallbacks]
                refs += [] if fragment.canary is None else [fragment.canary.model]
                if any((ref.namespace, ref.provider) == (namespace, name) for ref in refs):
                    found.add(("RoutingPolicy", fragment.namespace, fragment.name))
    if kind == "WorkspaceBudget":
        found |= {(item.kind, item.namespace, item.name) for item in result.findings if item.reason is Reason.CONFLICT}
    return found


@OPTIONS
@given(worlds(), st.data())
def test_removing_an_object_changes_only_what_referred_to_it(world: World, data: st.DataObject) -> None:
    slot = data.draw(st.sampled_from(sorted(world.objects)))
    with_it, without_it = run(world), run(world.without(slot))
    before, after = fragment_bytes(with_it), fragment_bytes(without_it)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed <= dependents(with_it, slot)


@OPTIONS
@given(worlds(), st.data())
def test_an_object_that_breaks_leaves_every_byte_as_it_was(world: World, data: st.DataObject) -> None:
    slot = data.draw(st.sampled_from(sorted(world.objects)))
    before = run(world)
    after_break = World({**world.objects, slot: broken(world.objects[slot])}, world.namespaces, world.secrets)
    assert run(after_break, before.previous).snapshot is before.snapshot
    restarted = run(after_break, Previous.from_snapshot(before.snapshot))
    assert restarted.snapshot is before.snapshot


@OPTIONS
@given(worlds(), st.data())
def test_an_object_broken_from_the_start_is_as_good_as_absent(world: World, data: st.DataObject) -> None:
    slot = data.draw(st.sampled_from(sorted(world.objects)))
    with_it = World({**world.objects, slot: broken(world.objects[slot])}, world.namespaces, world.secrets)
    assert run(with_it).snapshot == run(world.without(slot)).snapshot


@settings(OPTIONS, max_examples=80)
@given(worlds(), st.data())
def test_what_is_remembered_changes_no_result(world: World, data: st.DataObject) -> None:
    current = run(world)
    for step in range(data.draw(st.integers(1, 6))):
        world = data.draw(edits(world, 100 + step))
        forgetful = run(world, Previous.from_snapshot(current.snapshot))
        current = run(world, current.previous)
        assert encoded(current) == encoded(forgetful)
        assert current.changed == forgetful.changed


@OPTIONS
@given(worlds(), st.data())
def test_the_revision_counts_changes_of_content(world: World, data: st.DataObject) -> None:
    first = run(world)
    second = run(data.draw(edits(world, 100)), first.previous)
    same = first.snapshot.manifest.digest == second.snapshot.manifest.digest
    assert second.snapshot.manifest.revision == (1 if same else 2)
    assert (second.snapshot is first.snapshot) is same is not second.changed
