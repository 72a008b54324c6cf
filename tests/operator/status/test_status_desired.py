"""A whole status: it fits the schema, and it is written only when that is worth a write."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile import Compilation, Finding, ObjectState
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.kinds import KINDS
from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.status import Fleet, Verdict, desired_status, differs, summaries, track
from fairlead_operator.status.endpoints import UNKNOWN_HEALTH, EndpointHealth
from tests.compile.objects import compiled, edited, policy, provider, ref
from tests.compile.test_compile_reasons import CASES
from tests.compile.worlds import World, worlds
from tests.operator.status.status_objects import (
    EARLIER,
    NOW,
    ROLLING,
    ROLLOUTS,
    RUNNING,
    SITUATIONS,
    by_type,
    findings_by_object,
    fleet,
    state_of,
    words,
)

SUMMARY: dict[str, Any] = {
    "modelCount": 2,
    "usedByPolicies": 3,
    "canary": {"weightPercent": 5, "reason": "AsSpecified"},
    "effective": {"shadows": ["team-a/a", "team-a/b"]},
}
BROKEN = EndpointHealth(EndpointState.UNHEALTHY, BreakerState.OPEN, 0, 250, 60.0)
ENDPOINTS = {"eu": BROKEN, "us": UNKNOWN_HEALTH}
WRITTEN = desired_status(state_of(), [], RUNNING, SUMMARY, None, EARLIER, ENDPOINTS)


def statuses(result: Compilation, routers: Fleet, before: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The status of every object, by `Kind namespace/name`, as the operator puts it together."""
    found, summary = findings_by_object(result), summaries(result)
    standing = track({}, result.previous.entries, result.states, result.snapshot.manifest.version)
    made = {}
    for state in result.states:
        key = ObjectKey(state.kind, state.namespace, state.name)
        name = f"{state.kind} {state.namespace}/{state.name}"
        since = standing[key].since
        rollout = routers.rollout(since, f"{key.namespace}/{key.name}" if key.kind == "ModelProvider" else None)
        current = (before or {}).get(name)
        made[name] = desired_status(state, found.get(key, ()), rollout, summary.get(key, {}), current, NOW)
    return made


def valid(kind: str, status: dict[str, Any]) -> bool:
    KINDS[kind].status.model_validate(json.loads(json.dumps(status)))
    return True


@pytest.mark.parametrize("reason", CASES)
@pytest.mark.parametrize("routers", [Fleet([]), fleet((1, 1)), fleet((1, 0), (1, 1)), fleet(None)])
def test_whatever_the_compiler_says_gives_a_status_the_schema_takes(reason: Any, routers: Fleet) -> None:
    for name, status in statuses(CASES[reason], routers).items():
        assert valid(name.partition(" ")[0], status)


@given(worlds())
def test_any_world_gives_statuses_the_schema_takes(world: World) -> None:
    result = compiled(*world.objects.values(), namespaces=world.namespaces, secrets=world.secrets)
    for name, status in statuses(result, fleet((1, 1), (1, 0))).items():
        assert valid(name.partition(" ")[0], status)


@pytest.mark.parametrize("kind", KINDS)
@given(situation=SITUATIONS, rollout=st.sampled_from(ROLLOUTS))
def test_any_situation_gives_a_status_that_every_kind_takes(
    kind: str, situation: tuple[ObjectState, list[Finding]], rollout: Verdict
) -> None:
    assert valid(kind, desired_status(situation[0], situation[1], rollout, {}, None, NOW))


def test_an_edit_of_one_object_leaves_the_status_of_all_others_as_written() -> None:
    objects = [provider(), policy("a", match={"agentTypes": ["a"]}), policy("b", match={"agentTypes": ["b"]})]
    first = compiled(*objects)
    written = statuses(first, fleet((1, 1), (1, 1)))
    second = compiled(*objects[:2], edited(objects[2], priority=7), previous=first)
    later = statuses(second, fleet((1, 2), (1, 2)), written)
    assert [name for name, status in later.items() if differs(written[name], status)] == ["RoutingPolicy team-a/b"]


def test_an_edit_of_a_paused_object_waits_and_its_status_says_where_to_let_it_in() -> None:
    first = compiled(provider(), policy())
    paused = edited(policy(), priority=7)
    paused["metadata"] = {**paused["metadata"], "annotations": {"fairlead.dev/paused": "true"}}
    found = statuses(compiled(provider(), paused, previous=first), fleet((1, 1)))["RoutingPolicy team-a/main"]
    said = by_type(found["conditions"])
    assert words(found["conditions"])["Stalled"] == "True/Paused"
    assert said["Programmed"]["message"] == "generation 1 is in force"
    assert 'metadata.annotations["fairlead.dev/paused"]' in said["Ready"]["message"]
    assert said["Ready"]["observedGeneration"] == 2


def test_a_policy_with_everything_has_all_its_fields() -> None:
    result = compiled(provider(), policy("above", priority=5, canary={"modelRef": ref(), "weightPercent": 5}), policy())
    found = statuses(result, fleet((1, 1)))["RoutingPolicy team-a/above"]
    assert set(found) == {"observedGeneration", "conditions", "canary", "effective"}


# ------------------------------------------------------------------------------------------------ differs


def changed(**fields: Any) -> dict[str, Any]:
    return {**deepcopy(WRITTEN), **fields}


def with_condition(kind: str, **fields: Any) -> dict[str, Any]:
    result = deepcopy(WRITTEN)
    for item in result["conditions"]:
        if item["type"] == kind:
            item.update(fields)
    return result


FOREIGN = {"type": "example.com/Audited", "status": "True", "reason": "Yes", "message": "", "lastTransitionTime": NOW}


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, True),
        ({}, True),
        (WRITTEN, False),
        (changed(observedGeneration=2), True),
        (changed(modelCount=1), True),
        (changed(conditions=WRITTEN["conditions"][::-1]), False),
        (changed(conditions=[*WRITTEN["conditions"], FOREIGN]), False),
        (changed(conditions=WRITTEN["conditions"][1:]), True),
        (changed(conditions=[*WRITTEN["conditions"], {**FOREIGN, "type": "Reconciling"}]), True),
        (changed(matchedRequests=12), False),
        (changed(endpoints=WRITTEN["endpoints"][::-1]), False),
        (changed(endpoints=WRITTEN["endpoints"][1:]), True),
        (changed(endpoints=[{**WRITTEN["endpoints"][0], "breaker": "HalfOpen"}, WRITTEN["endpoints"][1]]), True),
        (changed(endpoints=[{**WRITTEN["endpoints"][0], "errorPercent": "3"}, WRITTEN["endpoints"][1]]), True),
        (changed(canary={**SUMMARY["canary"], "step": 1, "evidence": []}), False),
        (changed(canary={"weightPercent": 9, "reason": "AsSpecified"}), True),
        (changed(effective={"shadows": ["team-a/b", "team-a/a"]}), False),
        (changed(effective={"shadows": ["team-a/a", "team-a/b"], "overriddenBy": ["team-a/c"]}), True),
        (with_condition("Ready", lastTransitionTime=NOW), False),
        (with_condition("Ready", status="False"), True),
        (with_condition("Ready", reason="Other"), True),
        (with_condition("Ready", message="other"), True),
        (with_condition("Ready", observedGeneration=2), True),
    ],
)
def test_only_what_this_writer_owns_and_means_is_a_difference(current: dict[str, Any] | None, expected: bool) -> None:
    assert differs(current, WRITTEN) is expected


def test_endpoints_are_in_the_shape_of_the_api_and_what_nobody_knows_is_left_out() -> None:
    assert WRITTEN["endpoints"] == [
        {
            "name": "eu",
            "state": "Unhealthy",
            "breaker": "Open",
            "scorePercent": 0,
            "latencyP50Milliseconds": 250,
            "errorPercent": "60",
        },
        {"name": "us", "state": "Unknown", "breaker": "Closed"},
    ]
    assert valid(
        "ModelProvider", {name: value for name, value in WRITTEN.items() if name not in {"canary", "effective"}}
    )


def test_until_routers_were_asked_what_is_written_of_endpoints_stays() -> None:
    unasked = desired_status(state_of(), [], RUNNING, SUMMARY, WRITTEN, NOW, None)
    assert unasked == WRITTEN
    assert words(unasked["conditions"])["Degraded"] == "True/EndpointsUnhealthy"
    fresh = desired_status(state_of(), [], RUNNING, SUMMARY, None, NOW, None)
    assert "endpoints" not in fresh
    assert "Degraded" not in words(fresh["conditions"])


def test_an_earlier_generation_in_force_is_not_taken_for_what_routers_said() -> None:
    before = desired_status(state_of("Invalid", in_force=2), [], RUNNING, {}, None, EARLIER)
    assert words(before["conditions"])["Degraded"] == "True/LastGoodInForce"
    healed = desired_status(state_of(), [], RUNNING, {}, before, NOW, None)
    assert "Degraded" not in words(healed["conditions"])


@pytest.mark.parametrize("name", SUMMARY)
def test_a_field_that_is_not_wished_any_more_is_a_difference(name: str) -> None:
    assert differs(WRITTEN, {key: value for key, value in WRITTEN.items() if key != name})


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_writing_twice_is_writing_once(situation: tuple[ObjectState, list[Finding]], rollout: Verdict) -> None:
    once = desired_status(situation[0], situation[1], rollout, SUMMARY, None, EARLIER, ENDPOINTS)
    twice = desired_status(situation[0], situation[1], rollout, SUMMARY, once, NOW, ENDPOINTS)
    assert twice == once
    assert not differs(once, twice)


def test_a_rollout_that_moves_on_is_a_difference() -> None:
    rolling = desired_status(state_of(), [], ROLLING, SUMMARY, WRITTEN, NOW, ENDPOINTS)
    assert differs(WRITTEN, rolling)
    assert not differs(WRITTEN, desired_status(state_of(), [], RUNNING, SUMMARY, rolling, NOW, ENDPOINTS))
