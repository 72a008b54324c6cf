"""A large installation still fits into a ConfigMap and compiles without anything that grows with its square."""

from __future__ import annotations

from dataclasses import replace

from bench.decide.compiling import Editor
from bench.decide.world import make_world
from fairlead_contract.snapshot import MAX_COMPRESSED_BYTES, unseal
from fairlead_crds.compile import Resources, Settings, Severity, compile_resources

SETTINGS = Settings()


def test_two_thousand_policies_and_a_thousand_models_fit() -> None:
    result = compile_resources(make_world(), None, SETTINGS)
    assert len(result.snapshot.payload) < MAX_COMPRESSED_BYTES
    assert len(unseal(result.snapshot).entries) == 2000 + 500 + 100 + 1
    assert [item for item in result.findings if item.severity is Severity.ERROR] == []


def test_the_same_seed_makes_the_same_world() -> None:
    assert make_world(20, 5, seed=3) == make_world(20, 5, seed=3)
    assert make_world(20, 5, seed=3) != make_world(20, 5, seed=4)


def test_an_edit_lowers_and_encodes_only_what_it_touched() -> None:
    world = make_world(200, 50)
    first = compile_resources(world, None, SETTINGS)
    second = compile_resources(Editor(world, seed=1).edit(), first.previous, SETTINGS)
    renewed = [key for key, linked in second.previous.linked.items() if linked is not first.previous.linked.get(key)]
    assert len(renewed) == 1
    lowered = [item for key, item in second.previous.lowered.items() if item is not first.previous.lowered.get(key)]
    assert len(lowered) == 1
    assert second.snapshot.manifest.revision == 2


def test_nothing_is_remembered_of_objects_that_are_gone() -> None:
    world = make_world(20, 5, namespaces=3)
    first = compile_resources(world, None, SETTINGS)
    last = compile_resources(replace(world, objects=()), first.previous, SETTINGS).previous
    assert (len(last.lowered), len(last.linked), len(last.entries)) == (0, 1, 1)
    assert compile_resources(Resources(), last, SETTINGS).changed
