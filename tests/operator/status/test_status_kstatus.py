"""What tools conclude that know nothing of Fairlead and go by kstatus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_crds.compile import Finding, ObjectState, Reason
from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.status import Verdict, desired_status
from fairlead_operator.status.endpoints import EndpointHealth
from tests.operator.status.kstatus import compute
from tests.operator.status.status_objects import (
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
    words,
)


def object_with(
    state: ObjectState, rollout: Verdict, findings: Sequence[Finding] = (), generation: int = 3
) -> dict[str, Any]:
    status = desired_status(state, findings, rollout, {}, None, NOW)
    return {"metadata": {"generation": generation}, "status": status}


@pytest.mark.parametrize(
    ("state", "rollout", "expected"),
    [
        (state_of(), RUNNING, "Current"),
        (state_of(), ROLLING, "InProgress"),
        (state_of(), PENDING, "InProgress"),
        (state_of(), NOBODY, "InProgress"),
        (state_of(), SILENT, "InProgress"),
        (state_of(), REFUSED, "Failed"),
        (state_of(resolved="ProviderNotFound"), RUNNING, "InProgress"),
        (state_of(resolved="SecretNotFound"), PENDING, "InProgress"),
        (state_of(resolved="SecretNotFound"), REFUSED, "Failed"),
        (state_of("Invalid", in_force=None), RUNNING, "Failed"),
        (state_of("Invalid", in_force=2), RUNNING, "Failed"),
        (state_of("Invalid", "ModelNotFound", in_force=2), ROLLING, "Failed"),
        (state_of("Conflict", in_force=None), RUNNING, "Failed"),
        (state_of("Suspended", in_force=None), RUNNING, "Current"),
        (state_of("Suspended", in_force=None), ROLLING, "InProgress"),
        (state_of("Paused"), RUNNING, "Current"),
        (state_of("Paused"), ROLLING, "InProgress"),
        (state_of("Paused", in_force=2), RUNNING, "Failed"),
    ],
)
def test_kstatus_concludes(state: ObjectState, rollout: Verdict, expected: str) -> None:
    assert compute(object_with(state, rollout)) == expected


def test_an_edit_that_was_not_looked_at_yet_is_in_progress() -> None:
    assert compute(object_with(state_of(), RUNNING, generation=4)) == "InProgress"
    assert compute(object_with(state_of("Invalid", in_force=None), RUNNING, generation=4)) == "InProgress"


def test_an_object_that_goes_is_terminating() -> None:
    going = object_with(state_of(), RUNNING)
    going["metadata"]["deletionTimestamp"] = NOW
    assert compute(going) == "Terminating"


def test_a_warning_leaves_an_object_current() -> None:
    assert compute(object_with(state_of(), RUNNING, [finding(Reason.SHADOWED, "spec.match")])) == "Current"


def test_a_provider_that_is_ill_is_current_all_the_same() -> None:
    ill = {"main": EndpointHealth(EndpointState.UNHEALTHY, BreakerState.OPEN)}
    status = desired_status(state_of(), [], RUNNING, {}, None, NOW, ill)
    assert words(status["conditions"])["Degraded"] == "True/AllEndpointsUnhealthy"
    assert words(status["conditions"])["Ready"] == "True/Ready"
    assert compute({"metadata": {"generation": 3}, "status": status}) == "Current"


@given(SITUATIONS, st.sampled_from(ROLLOUTS))
def test_current_means_ready_and_failed_means_stalled(
    situation: tuple[ObjectState, list[Finding]], rollout: Verdict
) -> None:
    written = object_with(situation[0], rollout, situation[1])
    said = words(written["status"]["conditions"])
    concluded = compute(written)
    assert (concluded == "Current") is said["Ready"].startswith("True/")
    assert (concluded == "Failed") is ("Stalled" in said)
    assert (concluded == "InProgress") is ("Reconciling" in said)
