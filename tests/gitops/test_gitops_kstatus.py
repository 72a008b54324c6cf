"""What Flux and others conclude from our statuses, by the library they use: Current, InProgress, Failed or Terminating."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead_crds.compile import Finding, ObjectState
from fairlead_operator.status import Verdict, desired_status
from tests.crds.crd_objects import SMALL
from tests.gitops.argo_cases import HEALTH, Case
from tests.gitops.judge import Judge
from tests.operator.status.kstatus import compute
from tests.operator.status.status_objects import NOW, ROLLOUTS, SITUATIONS, words

CONCLUDED = {
    "healthy": "Current",
    "healthy_with_warning": "Current",
    "healthy_pause_said_to_be_false": "Current",
    # kstatus takes an object that says nothing for one that has nothing to say: see docs/gitops.md.
    "progressing_no_status": "Current",
    "progressing_observed_generation": "InProgress",
    "progressing_observed_generation_of_invalid": "InProgress",
    "progressing_rolling_out": "InProgress",
    "progressing_no_routers": "InProgress",
    "progressing_credentials": "InProgress",
    "progressing_unresolved": "InProgress",
    "progressing_pause_is_over": "Current",
    "progressing_pause_of_an_edit_is_over": "Failed",
    "degraded_rolling_out": "InProgress",
    "degraded_no_routers": "InProgress",
    "degraded_routers_unreachable": "InProgress",
    "degraded_unresolved": "InProgress",
    "degraded_unresolved_while_paused": "InProgress",
    "degraded_never_valid": "Failed",
    "degraded_last_good_in_force": "Failed",
    "degraded_conflict": "Failed",
    "degraded_snapshot_refused": "Failed",
    "suspended_paused": "Current",
    "suspended_paused_edit_waits": "Failed",
    "suspended_created_paused": "Failed",
    "suspended_pause_not_noticed_yet": "Current",
    "suspended_by_spec": "Current",
    "terminating": "Terminating",
    "terminating_while_degraded": "Terminating",
}


@pytest.mark.parametrize("case", HEALTH, ids=lambda case: case.name)
def test_kstatus_concludes(case: Case, judge: Judge) -> None:
    for kind in case.kinds:
        assert judge.kstatus(case.of_kind(kind)) == CONCLUDED[case.name]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    situation=SITUATIONS,
    rollout=st.sampled_from(ROLLOUTS),
    generation=st.sampled_from([3, 4]),
    going=st.booleans(),
    kind=st.sampled_from(sorted(SMALL)),
)
def test_it_concludes_what_the_conditions_say_whatever_the_operator_may_write(
    judge: Judge,
    situation: tuple[ObjectState, list[Finding]],
    rollout: Verdict,
    generation: int,
    going: bool,
    kind: str,
) -> None:
    status = desired_status(situation[0], situation[1], rollout, {}, None, NOW)
    metadata: dict[str, Any] = {"name": "x", "generation": generation} | ({"deletionTimestamp": NOW} if going else {})
    item = {**SMALL[kind], "metadata": metadata, "status": status}
    said = words(status["conditions"])
    if going:
        expected = "Terminating"
    elif generation != 3 or "Reconciling" in said:
        expected = "InProgress"
    else:
        expected = "Failed" if "Stalled" in said else "Current"
    assert judge.kstatus(item) == expected
    # The port by which tests without Go judge agrees with what it was ported from.
    assert compute(item) == expected
    assert (expected == "Current") is (said["Ready"].startswith("True/") and generation == 3 and not going)
