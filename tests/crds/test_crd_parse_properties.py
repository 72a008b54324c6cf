"""parse_object answers, whatever it is given."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_crds.kinds import KINDS
from fairlead_crds.not_implemented import not_implemented
from fairlead_crds.parse import parse_object
from tests.crds.crd_objects import FULL, Object

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.datetimes()
)
KEYS = st.text(max_size=12) | st.booleans() | st.integers() | st.none()
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def assert_answers(document: Any) -> None:
    result = parse_object(document)
    if isinstance(result, list):
        assert result
        assert all(error.message for error in result)
        assert len(set(result)) == len(result)
    else:
        assert result.kind in KINDS
        not_implemented(result)


@given(DATA)
def test_any_data_is_answered(document: Any) -> None:
    assert_answers(document)


@given(st.sampled_from(list(KINDS)), DATA, DATA)
def test_any_spec_and_metadata_are_answered(kind: str, metadata: Any, spec: Any) -> None:
    assert_answers({"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


@st.composite
def mutated(draw: st.DrawFn) -> Object:
    """A full object with some values replaced, removed or joined by strangers."""

    def mutate(value: Any) -> Any:
        if draw(st.integers(0, 40)) == 0:
            return draw(DATA)
        if isinstance(value, dict):
            changed: dict[Any, Any] = {key: mutate(inner) for key, inner in value.items() if draw(st.integers(0, 40))}
            if draw(st.integers(0, 30)) == 0:
                changed[draw(KEYS)] = draw(SCALARS)
            return changed
        if isinstance(value, list):
            return [mutate(item) for item in value] * draw(st.sampled_from([1, 1, 1, 2]))
        return value

    document = draw(st.sampled_from(list(FULL.values())))
    return document | {"metadata": mutate(document["metadata"]), "spec": mutate(document["spec"])}


@given(mutated())
@settings(max_examples=200)
def test_any_mutation_of_a_full_object_is_answered(document: Object) -> None:
    assert_answers(document)


def test_absurd_nesting_is_answered() -> None:
    nested: Any = "x"
    for _ in range(100_000):
        nested = {"spec": [nested]}
    envelope = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "RoutingPolicy", "metadata": {"name": "x"}}
    assert_answers(envelope | {"spec": nested})
    assert_answers(envelope | {"spec": {"targets": [nested]}, "extra": nested})
    # Taken apart by hand: the interpreter would recurse through it when freeing it.
    while isinstance(nested, dict):
        nested = nested.pop("spec").pop()


def test_an_object_that_contains_itself_is_answered() -> None:
    loop: dict[str, Any] = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "RoutingPolicy", "metadata": {"name": "x"}}
    loop["spec"] = loop
    assert_answers(loop)
    loop["spec"] = {"match": {"headers": [loop]}, "targets": [loop], "mistake": loop}
    assert_answers(loop)
