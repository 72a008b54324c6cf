"""One truth from watches that come late and lists that were begun early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.observe.inventory import Inventory, Place
from fairlead_operator.observe.sources import Source

POLICY = Source.POLICY
State = dict[Place, dict[str, Any]]


def policy(
    name: str, version: int, spec: object = 0, *, uid: str = "", namespace: str = "a", **metadata: Any
) -> dict[str, Any]:
    about = {"namespace": namespace, "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"kind": "RoutingPolicy", "metadata": {**about, **metadata}, "spec": {"n": spec}}


def known(inventory: Inventory) -> dict[str, object]:
    return {place.name: item.declared["spec"]["n"] for place, item in inventory.items[POLICY].items()}


def declared(raw: Mapping[str, Any]) -> tuple[object, object]:
    return raw["metadata"]["uid"], raw["spec"]["n"]


# ------------------------------------------------------------------------------------------------ the law


@dataclass(slots=True)
class History:
    """What really happened: one change for each version, from 1 on."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    states: list[State] = field(default_factory=lambda: [{}])

    def change(self, place: Place, spec: int | None) -> None:
        """Write the object, or delete it."""
        version = len(self.events) + 1
        state = dict(self.states[-1])
        before = state.pop(place, None)
        if spec is None and before is None:
            spec = 0
        uid = f"uid-{version}" if before is None else before["metadata"]["uid"]
        if spec is None:
            assert before is not None
            gone = policy(place.name, version, before["spec"]["n"], uid=uid, namespace=place.namespace)
            self.events.append(("DELETED", gone))
        else:
            raw = policy(place.name, version, spec, uid=uid, namespace=place.namespace)
            self.events.append(("ADDED" if before is None else "MODIFIED", raw))
            state[place] = raw
        self.states.append(state)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    changes = st.tuples(st.builds(Place, st.sampled_from("ab"), st.sampled_from("xyz")), st.none() | st.integers(0, 2))
    for place, spec in draw(st.lists(changes, min_size=1, max_size=25)):
        history.change(place, spec)
    return history


def in_scope(state: State, scope: str | None) -> list[dict[str, Any]]:
    return [raw for place, raw in state.items() if scope in {None, place.namespace}]


def assert_true(inventory: Inventory, truth: State) -> None:
    found = {place: declared(item.declared) for place, item in inventory.items[POLICY].items()}
    assert found == {place: declared(raw) for place, raw in truth.items()}


@given(histories(), st.sampled_from([(None,), ("a", "b")]), st.data())
def test_whatever_comes_when_the_last_word_is_the_truth(
    history: History, scopes: tuple[str | None, ...], data: st.DataObject
) -> None:
    """A stream for each scope delivers in order, late, and after a break begins anew without telling of deletions. Lists
    are answered at a version that the stream may have passed long ago, or not reached.
    """
    inventory, end = Inventory(), len(history.events)
    position, listed, torn = dict.fromkeys(scopes, 0), dict.fromkeys(scopes, 0), dict.fromkeys(scopes, False)

    def hear(scope: str | None, count: int) -> None:
        until = min(end, position[scope] + count)
        for kind, raw in history.events[position[scope] : until]:
            if scope in {None, raw["metadata"]["namespace"]}:
                inventory.take_event(POLICY, kind, raw, scope)
        position[scope] = until

    def read(scope: str | None, version: int) -> None:
        listed[scope] = version
        inventory.take_list(POLICY, in_scope(history.states[version], scope), str(version), scope)
        torn[scope] = torn[scope] and position[scope] > version

    def begin_anew(scope: str | None, version: int) -> None:
        position[scope], torn[scope] = version, True
        for raw in in_scope(history.states[version], scope):
            inventory.take_event(POLICY, None, raw, scope)

    for _ in range(data.draw(st.integers(0, 12), "steps")):
        scope = data.draw(st.sampled_from(scopes), "scope")
        match data.draw(st.sampled_from(["hear", "read", "begin anew"]), "step"):
            case "hear":
                hear(scope, data.draw(st.integers(1, 8), "events"))
            case "read":
                read(scope, data.draw(st.integers(listed[scope], end), "version"))
            case "begin anew":
                begin_anew(scope, data.draw(st.integers(position[scope], end), "version"))
    last_is_a_list = data.draw(st.booleans(), "ends with a list")
    for scope in scopes:
        if last_is_a_list or torn[scope]:
            read(scope, end)
    if last_is_a_list:
        assert_true(inventory, history.states[end])
    for scope in scopes:
        hear(scope, end)
        read(scope, data.draw(st.integers(listed[scope], end), "version of a list that comes late"))
    assert_true(inventory, history.states[end])


# ------------------------------------------------------------------------------------------------ events


def test_what_an_event_tells_is_known_and_only_a_difference_counts_as_one() -> None:
    inventory = Inventory()
    assert inventory.take_event(POLICY, "ADDED", policy("x", 1))
    assert inventory.take_event(POLICY, "MODIFIED", policy("x", 2, spec=1))
    assert not inventory.take_event(POLICY, "MODIFIED", policy("x", 3, spec=1, managedFields=[{"manager": "me"}]))
    assert not inventory.take_event(POLICY, "MODIFIED", {**policy("x", 4, spec=1), "status": {"conditions": []}})
    assert known(inventory) == {"x": 1}
    assert inventory.take_event(POLICY, "DELETED", policy("x", 5, spec=1))
    assert known(inventory) == {}


def test_what_did_not_change_stays_the_very_same_mapping() -> None:
    inventory, place = Inventory(), Place("a", "x")
    inventory.take_event(POLICY, "ADDED", policy("x", 1))
    before = inventory.items[POLICY][place].declared
    inventory.take_event(POLICY, "MODIFIED", {**policy("x", 2), "status": {"observedGeneration": 1}})
    inventory.take_list(POLICY, [policy("x", 3)], "3")
    assert inventory.items[POLICY][place].declared is before
    assert inventory.items[POLICY][place].version == 3


def test_a_new_label_or_annotation_counts_but_not_what_kubectl_keeps_for_itself() -> None:
    inventory = Inventory()
    inventory.take_event(POLICY, "ADDED", policy("x", 1))
    assert inventory.take_event(POLICY, "MODIFIED", policy("x", 2, labels={"l": "1"}, annotations={}))
    assert inventory.take_event(POLICY, "MODIFIED", policy("x", 3, labels={"l": "1"}, annotations={"a": "1"}))
    of_kubectl = {"a": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert not inventory.take_event(POLICY, "MODIFIED", policy("x", 4, labels={"l": "1"}, annotations=of_kubectl))


def test_the_deletion_of_an_earlier_object_of_the_name_leaves_the_later_one() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("x", 5, uid="second")], "5")
    assert not inventory.take_event(POLICY, "DELETED", policy("x", 9, uid="first"))
    assert known(inventory) == {"x": 0}


def test_an_event_older_than_a_list_that_lacks_the_object_does_not_bring_it_back() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [], "10")
    assert not inventory.take_event(POLICY, "ADDED", policy("x", 9))
    assert not inventory.take_event(POLICY, None, policy("x", 10))
    assert known(inventory) == {}
    assert inventory.take_event(POLICY, "ADDED", policy("x", 11))


# ------------------------------------------------------------------------------------------------ lists


def test_a_list_says_what_it_knew_better() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("kept", 1), policy("edited", 2), policy("deleted", 3)], "3")
    difference = inventory.take_list(POLICY, [policy("kept", 1), policy("edited", 5, spec=9), policy("new", 6)], "7")
    assert (difference.added, difference.changed) == ((Place("a", "new"),), (Place("a", "edited"),))
    assert difference.phantoms == (Place("a", "deleted"),)
    assert difference
    assert not inventory.take_list(POLICY, [policy("kept", 1), policy("edited", 5, spec=9), policy("new", 6)], "8")


def test_a_list_begun_before_an_event_does_not_undo_it() -> None:
    inventory = Inventory()
    inventory.take_event(POLICY, "ADDED", policy("created", 12))
    inventory.take_event(POLICY, "MODIFIED", policy("edited", 11, spec=1))
    assert not inventory.take_list(POLICY, [policy("edited", 5)], "10")
    assert known(inventory) == {"created": 0, "edited": 1}


def test_a_list_begun_before_a_deletion_does_not_bring_the_object_back() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("x", 5)], "5")
    inventory.take_event(POLICY, "DELETED", policy("x", 12))
    assert not inventory.take_list(POLICY, [policy("x", 5)], "10")
    assert known(inventory) == {}
    inventory.take_list(POLICY, [policy("x", 13, uid="another")], "14")
    assert known(inventory) == {"x": 0}


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("x", 1)], "2", "a")
    inventory.take_list(POLICY, [policy("y", 1, namespace="b")], "2", "b")
    assert inventory.take_list(POLICY, [], "3", "a").phantoms == (Place("a", "x"),)
    assert known(inventory) == {"y": 0}


# ------------------------------------------------------------------------------------------------ history set back


def test_after_a_restore_only_the_list_is_believed() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("edited", 100, spec=1), policy("created", 101)], "110")
    inventory.take_event(POLICY, "ADDED", policy("created-later", 120))
    difference = inventory.take_list(POLICY, [policy("edited", 40), policy("deleted", 41)], "60")
    assert difference.history_lost
    assert known(inventory) == {"edited": 0, "deleted": 0}
    assert inventory.newest == 60
    assert inventory.take_event(POLICY, "MODIFIED", policy("edited", 61, spec=7))


def test_a_restore_is_noticed_when_the_numbers_have_caught_up_but_an_object_has_not() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("x", 100, spec=1)], "110")
    assert inventory.take_list(POLICY, [policy("x", 40)], "130").history_lost
    assert known(inventory) == {"x": 0}


def test_a_watch_that_is_ahead_of_a_list_is_no_lost_history() -> None:
    inventory = Inventory()
    inventory.take_list(POLICY, [policy("x", 5)], "10")
    inventory.take_event(POLICY, "MODIFIED", policy("x", 30, spec=1))
    assert not inventory.take_list(POLICY, [policy("x", 5)], "20").history_lost
    assert known(inventory) == {"x": 1}


# ------------------------------------------------------------------------------------------------ status


def test_a_written_status_is_remembered_and_hides_no_spec_that_came_with_it() -> None:
    inventory, place = Inventory(), Place("a", "x")
    inventory.take_event(POLICY, "ADDED", policy("x", 1))
    inventory.take_status(POLICY, {**policy("x", 3, spec=2), "status": {"observedGeneration": 1}})
    assert inventory.items[POLICY][place].status == {"observedGeneration": 1}
    assert known(inventory) == {"x": 0}
    assert inventory.take_event(POLICY, "MODIFIED", policy("x", 2, spec=2))
    assert known(inventory) == {"x": 2}


def test_the_status_of_an_object_that_is_gone_or_another_is_let_go() -> None:
    inventory = Inventory()
    inventory.take_status(POLICY, {**policy("x", 3), "status": {"observedGeneration": 1}})
    assert known(inventory) == {}
    inventory.take_event(POLICY, "ADDED", policy("x", 4, uid="second"))
    inventory.take_status(POLICY, {**policy("x", 5, uid="first"), "status": {"observedGeneration": 1}})
    assert inventory.items[POLICY][Place("a", "x")].status == {}
