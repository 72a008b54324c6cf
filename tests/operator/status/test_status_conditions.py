"""The conditions of one object, from what the compiler says of it and what the routers run."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile import Finding, ObjectState, Reason
from fairlead_crds.kinds.scalars import Message
from fairlead_operator.status import ConditionType, Verdict, conditions
from fairlead_operator.status.wording import MAX_MESSAGE_CHARACTERS, cut_bytes
from tests.operator.status.status_objects import (
    EARLIER,
    NOBODY,
    NOW,
    PENDING,
    REFUSED,
    REFUSING,
    ROLLING,
    ROLLOUTS,
    RUNNING,
    SILENT,
    SITUATIONS,
    UNRESOLVED,
    by_type,
    finding,
    state_of,
    words,
)

ALWAYS = ("Accepted", "ResolvedRefs", "Programmed", "Ready")


def told(state: ObjectState, rollout: Verdict = RUNNING, *findings: Finding) -> dict[str, str]:
    return words(conditions(state, sorted(findings), rollout, [], NOW))


def message(kind: str, state: ObjectState, *findings: Finding, rollout: Verdict = RUNNING) -> str:
    return str(by_type(conditions(state, sorted(findings), rollout, [], NOW))[kind]["message"])


CASES: list[tuple[str, ObjectState, Verdict, dict[str, str]]] = [
    (
        "valid, resolved and running",
        state_of(), RUNNING,
        {"Accepted": "True/Accepted", "ResolvedRefs": "True/ResolvedRefs", "Programmed": "True/Programmed",
         "Ready": "True/Ready"},
    ),
    (
        "on its way to the routers",
        state_of(), ROLLING,
        {"Programmed": "False/RollingOut", "Ready": "False/RollingOut", "Reconciling": "True/RollingOut"},
    ),
    (
        "waiting for its keys",
        state_of(), PENDING,
        {"Ready": "False/CredentialsPending", "Reconciling": "True/CredentialsPending"},
    ),
    (
        "nobody there to run it",
        state_of(), NOBODY,
        {"Programmed": "Unknown/NoRouters", "Ready": "Unknown/NoRouters", "Reconciling": "True/NoRouters"},
    ),
    (
        "routers that do not answer",
        state_of(), SILENT,
        {"Ready": "Unknown/RoutersUnreachable", "Reconciling": "True/RoutersUnreachable"},
    ),
    (
        "refused by a router",
        state_of(), REFUSED,
        {"Programmed": "False/SnapshotRefused", "Ready": "False/SnapshotRefused", "Stalled": "True/SnapshotRefused"},
    ),
    (
        "refers to what is not there yet, as everything may in an Argo CD sync",
        state_of(resolved="ProviderNotFound"), RUNNING,
        {"Accepted": "True/Accepted", "ResolvedRefs": "False/ProviderNotFound", "Programmed": "True/Programmed",
         "Ready": "False/ProviderNotFound", "Reconciling": "True/ProviderNotFound"},
    ),
    (
        "unresolved while nobody runs it",
        state_of(resolved="ProviderNotFound"), NOBODY,
        {"Programmed": "Unknown/NoRouters", "Ready": "False/ProviderNotFound", "Reconciling": "True/ProviderNotFound"},
    ),
    (
        "never valid",
        state_of("Invalid", "Invalid", in_force=None), RUNNING,
        {"Accepted": "False/Invalid", "ResolvedRefs": "False/Invalid", "Programmed": "False/NotInForce",
         "Ready": "False/Invalid", "Stalled": "True/Invalid"},
    ),
    (
        "valid before, invalid now",
        state_of("Invalid", in_force=2), ROLLING,
        {"Accepted": "False/Invalid", "ResolvedRefs": "True/ResolvedRefs", "Programmed": "False/LastGoodInForce",
         "Ready": "False/Invalid", "Stalled": "True/Invalid", "Degraded": "True/LastGoodInForce"},
    ),
    (
        "valid before, invalid now, and the references of before are lost",
        state_of("Invalid", "ModelNotFound", in_force=2), RUNNING,
        {"ResolvedRefs": "False/ModelNotFound", "Ready": "False/Invalid", "Stalled": "True/Invalid",
         "Degraded": "True/LastGoodInForce"},
    ),
    (
        "a permission that was withdrawn",
        state_of("NotPermitted", "NotPermitted", in_force=None), RUNNING,
        {"Programmed": "False/NotInForce", "Ready": "False/NotPermitted", "Stalled": "True/NotPermitted"},
    ),
    (
        "as written but linked anew into a snapshot too large to publish",
        state_of("SnapshotTooLarge"), RUNNING,
        {"Programmed": "True/Programmed", "Ready": "False/SnapshotTooLarge", "Stalled": "True/SnapshotTooLarge",
         "Degraded": "True/LastGoodInForce"},
    ),
    (
        "suspended",
        state_of("Suspended", in_force=None), RUNNING,
        {"Accepted": "True/Suspended", "ResolvedRefs": "True/ResolvedRefs", "Programmed": "True/Programmed",
         "Ready": "True/Suspended"},
    ),
    (
        "suspended, which not all routers know",
        state_of("Suspended", in_force=None), ROLLING,
        {"Accepted": "True/Suspended", "Ready": "False/RollingOut", "Reconciling": "True/RollingOut"},
    ),
    (
        "suspended, but the snapshot without it could not be published",
        state_of("Suspended", in_force=2), RUNNING,
        {"Accepted": "True/Suspended", "Programmed": "False/LastGoodInForce", "Ready": "False/LastGoodInForce",
         "Reconciling": "True/LastGoodInForce", "Degraded": "True/LastGoodInForce"},
    ),
    (
        "paused as written",
        state_of("Paused"), RUNNING,
        {"Accepted": "True/Paused", "Programmed": "True/Programmed", "Ready": "True/Paused"},
    ),
    (
        "edited while paused, so that only a person can let the edit in",
        state_of("Paused", in_force=2), RUNNING,
        {"Accepted": "False/Paused", "Programmed": "False/LastGoodInForce", "Ready": "False/Paused",
         "Stalled": "True/Paused", "Degraded": "True/LastGoodInForce"},
    ),
    (
        "paused before it ever was in force",
        state_of("Paused", "Paused", in_force=None), RUNNING,
        {"Accepted": "False/Paused", "Programmed": "False/NotInForce", "Ready": "False/Paused", "Stalled": "True/Paused"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "rollout", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_object_in_this_situation_says_so(state: ObjectState, rollout: Verdict, expected: dict[str, str]) -> None:
    found = told(state, rollout)
    assert expected.items() <= found.items()
    assert set(found) == {*ALWAYS, *expected}


@pytest.mark.parametrize("reason", REFUSING)
def test_what_is_wrong_with_the_object_itself_stalls_it(reason: Reason) -> None:
    assert told(state_of(reason, reason, in_force=None))["Stalled"] == f"True/{reason}"


@pytest.mark.parametrize("reason", UNRESOLVED)
def test_what_another_object_can_mend_does_not_stall_it(reason: Reason) -> None:
    found = told(state_of(resolved=reason))
    assert found["Reconciling"] == f"True/{reason}"
    assert "Stalled" not in found


@pytest.mark.parametrize("reason", [Reason.CYCLE, Reason.FORBIDDEN_ARM])
def test_an_experiment_that_others_make_impossible_is_not_accepted(reason: Reason) -> None:
    found = told(state_of(kind="ABTest", in_force=None), RUNNING, finding(reason, "spec.arms[0]"))
    assert (found["Accepted"], found["Programmed"]) == (f"False/{reason}", "False/NotInForce")


def test_of_two_objects_of_one_name_only_the_one_set_aside_is_refused() -> None:
    duplicate = finding(Reason.DUPLICATE, "metadata.name")
    assert told(state_of(), RUNNING, duplicate)["Accepted"] == "True/Accepted"
    assert told(state_of("Duplicate", "Duplicate", in_force=None), RUNNING, duplicate)["Stalled"] == "True/Duplicate"


# ------------------------------------------------------------------------------------------------ messages


def test_a_message_begins_with_the_first_field_and_counts_the_rest() -> None:
    errors = [finding(Reason.INVALID, f"spec.{name}", f"{name} is wrong") for name in ("a", "b", "c")]
    assert message("Accepted", state_of("Invalid", in_force=None), *errors) == "spec.a: a is wrong (and 2 more)"


def test_a_message_is_about_what_the_reason_names() -> None:
    invalid = finding(Reason.INVALID, "spec.a", "a is wrong")
    too_large = finding(Reason.SNAPSHOT_TOO_LARGE, "", "too large")
    state = state_of("Invalid", in_force=None)
    assert message("Accepted", state, too_large, invalid) == "spec.a: a is wrong (and 1 more)"


def test_what_concerns_the_whole_object_is_told_without_a_field() -> None:
    too_large = finding(Reason.SNAPSHOT_TOO_LARGE, "", "too large")
    assert message("Accepted", state_of("SnapshotTooLarge", in_force=None), too_large) == "too large"


def test_an_edit_that_waits_says_so_before_it_says_what_else_is_wrong_with_it() -> None:
    waits = finding(Reason.PAUSED, "metadata.annotations", "generation 2 stays in force")
    invalid = finding(Reason.INVALID, "spec.a", "a is wrong")
    hidden = finding(Reason.SHADOWED, "spec.match", "never reached")
    said = message("Accepted", state_of("Paused", in_force=2), waits, invalid, hidden)
    assert said == "metadata.annotations: generation 2 stays in force (and 1 more)"


def test_each_finding_is_told_where_it_belongs() -> None:
    lost = finding(Reason.PROVIDER_NOT_FOUND, "spec.targets[0].modelRef", "no such provider")
    hidden = finding(Reason.SHADOWED, "spec.match", "never reached")
    old = finding(Reason.MODEL_DEPRECATED, "spec.targets[1].modelRef", "use another")
    state = state_of(resolved="ProviderNotFound")
    assert message("ResolvedRefs", state, lost, old) == "spec.targets[0].modelRef: no such provider"
    accepted = message("Accepted", state, lost, hidden)
    assert accepted == "the spec is valid and in force; warning: spec.match: never reached"
    resolved = message("ResolvedRefs", state_of(), old, hidden)
    assert resolved == "every reference was found; warning: spec.targets[1].modelRef: use another"


def test_a_warning_does_not_keep_an_object_from_being_ready() -> None:
    warned = finding(Reason.MODEL_NOT_FOUND, "spec.allowedModels", warning=True)
    assert told(state_of(), RUNNING, warned)["Ready"] == "True/Ready"


def test_what_remains_in_force_is_named() -> None:
    state = state_of("Invalid", in_force=2)
    assert message("Programmed", state) == "generation 2 is in force"
    assert message("Degraded", state) == "generation 2 stays in force, generation 3 is not"


def test_ready_and_its_companions_repeat_the_sentence_that_explains_them() -> None:
    for rollout, companion in ((ROLLING, "Reconciling"), (REFUSED, "Stalled")):
        for kind in ("Programmed", "Ready", companion):
            assert message(kind, state_of(), rollout=rollout) == rollout.message


@pytest.mark.parametrize("reason", [Reason.INVALID, Reason.SHADOWED])
def test_a_message_stays_within_the_schema_and_keeps_its_count(reason: Reason) -> None:
    bound = get_args(Message)[1].max_length
    assert bound == MAX_MESSAGE_CHARACTERS
    long = [finding(reason, f"spec.{name}", name * 9000) for name in ("ä", "b")]
    state = state_of("Invalid", in_force=None) if reason is Reason.INVALID else state_of()
    text = message("Accepted", state, *long)
    assert len(text) == MAX_MESSAGE_CHARACTERS
    assert text.endswith("… (and 1 more)")


@given(st.text(), st.integers(4, 40))
def test_text_cut_to_bytes_fits_and_loses_nothing_that_fitted(text: str, limit: int) -> None:
    kept = cut_bytes(text, limit)
    assert len(kept.encode()) <= limit
    assert kept == text if len(text.encode()) <= limit else text.startswith(kept.removesuffix("…"))


# ------------------------------------------------------------------------------------------------ laws


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_an_object_is_ready_or_else_exactly_one_of_waiting_and_stuck(
    situation: tuple[ObjectState, list[Finding]], rollout: Verdict
) -> None:
    found = told(situation[0], rollout, *situation[1])
    abnormal = {"Reconciling", "Stalled"} & set(found)
    assert len(abnormal) == (0 if found["Ready"].startswith("True/") else 1)
    assert all(found[kind].startswith("True/") for kind in abnormal | ({"Degraded"} & set(found)))


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_ready_is_true_exactly_if_the_other_three_are(
    situation: tuple[ObjectState, list[Finding]], rollout: Verdict
) -> None:
    found = told(situation[0], rollout, *situation[1])
    three = [found[kind].partition("/")[0] for kind in ALWAYS[:3]]
    ready = found["Ready"].partition("/")[0]
    assert ready == ("False" if "False" in three else "Unknown" if "Unknown" in three else "True")


@given(SITUATIONS, SITUATIONS, st.sampled_from(ROLLOUTS), st.sampled_from(ROLLOUTS))
def test_a_transition_time_moves_exactly_if_the_status_does(
    one: tuple[ObjectState, list[Finding]], two: tuple[ObjectState, list[Finding]], rollout: Verdict, later: Verdict
) -> None:
    before = conditions(one[0], one[1], rollout, [], EARLIER)
    was = by_type(before)
    for item in conditions(two[0], two[1], later, before, NOW):
        same = item["type"] in was and was[item["type"]]["status"] == item["status"]
        assert item["lastTransitionTime"] == (EARLIER if same else NOW)


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_conditions_come_in_one_order_each_type_once(
    situation: tuple[ObjectState, list[Finding]], rollout: Verdict
) -> None:
    found = [item["type"] for item in conditions(situation[0], situation[1], rollout, [], NOW)]
    assert found == [kind for kind in ConditionType if kind in found]
    assert set(ALWAYS) <= set(found)


@pytest.mark.parametrize("before", [[{}], [{"type": "Ready"}], [{"type": "Ready", "status": "True"}]])
def test_a_condition_written_badly_before_is_written_well_now(before: list[dict[str, Any]]) -> None:
    assert by_type(conditions(state_of(), [], RUNNING, before, NOW))["Ready"]["lastTransitionTime"] == NOW
