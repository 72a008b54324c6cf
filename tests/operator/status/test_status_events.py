"""Which changes of conditions are told as events, under which name, in which shape."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile import Finding, ObjectState, Reason
from fairlead_crds.kinds.scalars import DNS_SUBDOMAIN
from fairlead_operator.status import (
    EventToPost,
    ObjectReference,
    Verdict,
    conditions,
    event_body,
    event_name,
    series_patch,
    transitions,
)
from fairlead_operator.status.verdict import TRUE
from tests.operator.status.status_objects import (
    EARLIER,
    NOBODY,
    NOW,
    PENDING,
    REFUSED,
    ROLLING,
    ROLLOUTS,
    RUNNING,
    SILENT,
    SITUATIONS,
    finding,
    state_of,
)

MAIN = ObjectReference("fairlead.dev/v1alpha1", "RoutingPolicy", "team-a", "main", "uid-1")
INSTANT = datetime(2026, 3, 1, 12, 0, 0, 42, UTC)

Conditions = list[dict[str, Any]]


def written(state: ObjectState, rollout: Verdict = RUNNING, *findings: Finding) -> Conditions:
    return conditions(state, findings, rollout, [], EARLIER)


def told(before: Conditions, after: Conditions) -> list[str]:
    return [f"{event.type} {event.reason}" for event in transitions(before, after, MAIN)]


NEW: Conditions = []
READY, READY_4 = written(state_of()), written(state_of(generation=4, in_force=4))
STARTING, STARTING_4 = written(state_of(), ROLLING), written(state_of(generation=4, in_force=4), ROLLING)
LOST = written(state_of(resolved="ProviderNotFound"))
LOST_ELSEWHERE = written(state_of(resolved="ModelNotFound"))
INVALID_4 = written(state_of("Invalid", generation=4))
NEVER_VALID = written(state_of("Invalid", "Invalid", in_force=None))
SUSPENDED_4 = written(state_of("Suspended", generation=4, in_force=None))

ILL, HALF = (
    conditions(state_of(), [], RUNNING, [], EARLIER, Verdict(TRUE, reason, "endpoint main: look at it"))
    for reason in ("AllEndpointsUnhealthy", "EndpointsDegraded")
)
ILL_SAID_OTHERWISE = conditions(state_of(), [], RUNNING, [], EARLIER, Verdict(TRUE, "AllEndpointsUnhealthy", "other"))

CASES: list[tuple[str, Conditions, Conditions, list[str]]] = [
    ("endpoints break", READY, ILL, ["Warning AllEndpointsUnhealthy"]),
    ("endpoints are tried again", ILL, HALF, ["Warning EndpointsDegraded"]),
    ("endpoints are well again", HALF, READY, ["Normal EndpointsWell"]),
    ("endpoints are as ill as before", ILL, ILL_SAID_OTHERWISE, []),
    (
        "an earlier generation in force is not about endpoints",
        INVALID_4,
        READY_4,
        ["Normal Accepted", "Normal Programmed"],
    ),
    ("first seen, on its way", NEW, STARTING, ["Normal Accepted"]),
    ("first seen, already running", NEW, READY, ["Normal Accepted", "Normal Programmed"]),
    ("first seen, invalid", NEW, NEVER_VALID, ["Warning Invalid"]),
    ("first seen, unresolved", NEW, LOST, ["Normal Accepted", "Warning ProviderNotFound"]),
    ("arrived at all routers", STARTING, READY, ["Normal Programmed"]),
    ("nothing new", READY, READY, []),
    ("edited", READY, STARTING_4, []),
    ("edited and arrived", STARTING_4, READY_4, ["Normal Programmed"]),
    ("edited, seen only when it had arrived", READY, READY_4, ["Normal Programmed"]),
    ("a router starts", READY, STARTING, []),
    ("the routers are gone", READY, written(state_of(), NOBODY), []),
    ("the routers do not answer", READY, written(state_of(), SILENT), []),
    ("a key was replaced", READY, written(state_of(), PENDING), []),
    ("a router refuses it", STARTING, written(state_of(), REFUSED), ["Warning SnapshotRefused"]),
    ("a router goes on refusing it", written(state_of(), REFUSED), written(state_of(), REFUSED), []),
    ("a reference is lost", READY, LOST, ["Warning ProviderNotFound"]),
    ("a reference is lost in another way", LOST, LOST_ELSEWHERE, ["Warning ModelNotFound"]),
    ("a reference is found", LOST, STARTING, ["Normal ResolvedRefs"]),
    ("an invalid edit", READY, INVALID_4, ["Warning Invalid"]),
    ("an invalid edit is mended", INVALID_4, STARTING_4, ["Normal Accepted"]),
    ("the first valid generation", NEVER_VALID, STARTING_4, ["Normal Accepted"]),
    ("what was unresolved becomes invalid", LOST, NEVER_VALID, ["Warning Invalid"]),
    ("suspended", READY, SUSPENDED_4, ["Normal Suspended", "Normal Programmed"]),
]


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_this_change_is_told_as(before: Conditions, after: Conditions, expected: list[str]) -> None:
    assert told(before, after) == expected


def test_a_warning_carries_the_field_it_is_about() -> None:
    error = finding(Reason.INVALID, "spec.targets[0].weight", "must be at most 1000")
    (event,) = transitions(READY, written(state_of("Invalid", generation=4), RUNNING, error), MAIN)
    assert (event.note, event.action) == ("spec.targets[0].weight: must be at most 1000", "Compile")


def test_that_a_generation_runs_is_said_once() -> None:
    first, again = (transitions(before, READY, MAIN)[0] for before in (STARTING, written(state_of(), NOBODY)))
    assert first.once
    assert first.name == again.name
    assert transitions(STARTING_4, READY_4, MAIN)[0].name != first.name


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_conditions_that_stay_are_not_told(situation: tuple[ObjectState, list[Finding]], rollout: Verdict) -> None:
    same = written(situation[0], rollout, *situation[1])
    assert transitions(same, same, MAIN) == []


@given(SITUATIONS, SITUATIONS, st.sampled_from(ROLLOUTS), st.sampled_from(ROLLOUTS))
def test_a_change_is_told_in_at_most_three_events_each_with_its_own_name(
    one: tuple[ObjectState, list[Finding]], two: tuple[ObjectState, list[Finding]], rollout: Verdict, later: Verdict
) -> None:
    found = transitions(written(one[0], rollout, *one[1]), written(two[0], later, *two[1]), MAIN)
    assert len({event.name for event in found}) == len(found) <= 3
    waiting = {"RollingOut", "NoRouters", "RoutersUnreachable", "CredentialsPending"}
    assert not waiting & {event.reason for event in found}


# ------------------------------------------------------------------------------------------------ the object


def event_about(name: str = "main", note: str = "spec.a: wrong", uid: str = "uid-1") -> EventToPost:
    about = ObjectReference("fairlead.dev/v1alpha1", "RoutingPolicy", "team-a", name, uid)
    return EventToPost(about, "Warning", "Invalid", note, "Compile")


NAMES = st.from_regex(re.compile(DNS_SUBDOMAIN, re.ASCII), fullmatch=True).filter(lambda name: len(name) <= 253)


@given(NAMES | st.sampled_from(["a" * 253, "a." * 126 + "a", "a-" * 126 + "a"]), st.text(), st.text())
def test_a_name_is_one_the_api_server_takes_whatever_is_said(name: str, reason: str, note: str) -> None:
    found = event_name(ObjectReference("", "", "", name, "u"), reason, note)
    assert len(found) <= 253
    assert re.fullmatch(DNS_SUBDOMAIN, found)


def test_the_same_event_has_the_same_name_and_another_has_another() -> None:
    assert event_about().name == event_about().name
    others = [event_about("other"), event_about(note="spec.b: wrong"), event_about(uid="uid-2")]
    assert len({event_about().name, *[event.name for event in others]}) == 4
    assert event_about().name.startswith("main.")


def test_the_body_is_an_event_of_the_new_api() -> None:
    assert event_body(event_about(), "operator-7d9f", INSTANT) == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event_about().name, "namespace": "team-a"},
        "eventTime": "2026-03-01T12:00:00.000042Z",
        "type": "Warning",
        "reason": "Invalid",
        "action": "Compile",
        "note": "spec.a: wrong",
        "reportingController": "fairlead.dev/operator",
        "reportingInstance": "operator-7d9f",
        "regarding": {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "RoutingPolicy",
            "namespace": "team-a",
            "name": "main",
            "uid": "uid-1",
        },
    }


def test_times_are_utc_with_six_digits_wherever_the_clock_stands() -> None:
    berlin = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert event_body(event_about(), "pod", berlin)["eventTime"] == "2026-03-01T12:00:00.000000Z"
    assert series_patch(7, berlin) == {"series": {"count": 7, "lastObservedTime": "2026-03-01T12:00:00.000000Z"}}


def test_a_series_begins_at_two_as_the_api_server_wants_it() -> None:
    assert series_patch(1, INSTANT)["series"]["count"] == 2


@given(st.text(min_size=1, max_size=1200), st.text(min_size=1, max_size=200))
def test_a_body_keeps_the_bounds_of_the_api_server(note: str, instance: str) -> None:
    body = event_body(event_about(note=note), instance, INSTANT)
    assert len(body["note"].encode()) <= 1024
    assert 0 < len(body["reportingInstance"]) <= 128


def test_a_note_in_any_script_is_cut_between_characters() -> None:
    note = event_body(event_about(note="ü" * 2000), "pod", INSTANT)["note"]
    assert len(note.encode()) in (1023, 1024)
    assert set(note) == {"ü", "…"}


def test_the_time_of_a_condition_is_of_no_interest() -> None:
    later = [{**item, "lastTransitionTime": NOW} for item in READY]
    assert told(READY, later) == []
