"""Objects in every state that Argo CD may find them in, and what it is to say of them.

Statuses are made by the operator's own builder, so a change of its words shows here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead_crds.compile import Finding, ObjectState, Reason
from fairlead_operator.status import Verdict, desired_status
from tests.crds.crd_objects import SMALL
from tests.operator.status.status_objects import (
    NOBODY,
    PENDING,
    REFUSED,
    ROLLING,
    RUNNING,
    SILENT,
    finding,
    state_of,
)

Object = dict[str, Any]

GENERATION = 3
LONG_AGO, JUST_NOW = "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
"""Transition times: out of patience at any time a test may run, and never."""

PAUSED = {"fairlead.dev/paused": "true"}
TRACKED = {"argocd.argoproj.io/tracking-id": "routing:fairlead.dev/x:team-red/example"}
UNRESOLVED = [
    finding(Reason.PROVIDER_NOT_FOUND, "spec.targets[0].modelRef", "there is no ModelProvider team-red/openai")
]
INVALID = [finding(Reason.INVALID, "spec.retries", "totalSeconds is below perAttemptSeconds: raise it")]
CONFLICT = [
    finding(Reason.CONFLICT, "spec.workspace", "claimed by team-blue/first before: delete one of the two claims")
]
HELD = [finding(Reason.PAUSED, "", "generation 3 waits: remove the annotation fairlead.dev/paused")]
SHADOWED = [
    finding(Reason.SHADOWED, "spec.match", "team-red/first is consulted before and matches all of it: narrow its match")
]
FINE = "the spec is valid and in force"
IN_FORCE_BY_PAUSE = (
    "Paused: the spec is valid and in force; the annotation fairlead.dev/paused keeps it so, whatever is written"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One object as it is read, and its health."""

    name: str
    health: str
    message: str
    state: ObjectState | None = field(default_factory=state_of)
    """None: no status was written yet."""
    rollout: Verdict = RUNNING
    findings: Sequence[Finding] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    since: str = LONG_AGO
    generation: int = GENERATION
    going: bool = False
    spec: Object = field(default_factory=dict)
    kinds: Sequence[str] = tuple(SMALL)

    def of_kind(self, kind: str) -> Object:
        """The object, as ``kubectl get -o yaml`` would show it."""
        made = copy.deepcopy(SMALL[kind])
        metadata: Object = {"name": "example", "namespace": "team-red", "generation": self.generation}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        if self.going:
            metadata |= {"deletionTimestamp": LONG_AGO, "finalizers": ["example.com/hold"]}
        made["metadata"] = metadata
        made["spec"] |= self.spec
        if self.state is not None:
            made["status"] = desired_status(self.state, self.findings, self.rollout, {}, None, self.since)
        return made


_SUSPENDABLE = ("RoutingPolicy", "ABTest")
_REFERRING = ("ModelProvider", "RoutingPolicy", "ABTest", "WorkspaceBudget")

HEALTH: list[Case] = [
    Case("healthy", "Healthy", FINE),
    Case(
        "healthy_with_warning",
        "Healthy",
        f"{FINE}; warning: {SHADOWED[0].field}: {SHADOWED[0].message}",
        findings=SHADOWED,
        kinds=["RoutingPolicy"],
    ),
    Case("healthy_pause_said_to_be_false", "Healthy", FINE, annotations={"fairlead.dev/paused": "false"}),
    Case("progressing_no_status", "Progressing", "the operator has not looked at it yet", None, generation=1),
    Case(
        "progressing_observed_generation",
        "Progressing",
        "the operator has not looked at the newest generation yet",
        generation=GENERATION + 1,
    ),
    Case(
        "progressing_observed_generation_of_invalid",
        "Progressing",
        "the operator has not looked at the newest generation yet",
        state_of("Invalid", "Invalid", in_force=2),
        findings=INVALID,
        generation=GENERATION + 1,
    ),
    Case("progressing_rolling_out", "Progressing", f"RollingOut: {ROLLING.message}", rollout=ROLLING, since=JUST_NOW),
    Case("progressing_no_routers", "Progressing", f"NoRouters: {NOBODY.message}", rollout=NOBODY, since=JUST_NOW),
    Case(
        "progressing_credentials",
        "Progressing",
        f"CredentialsPending: {PENDING.message}",
        rollout=PENDING,
        since=JUST_NOW,
        kinds=["ModelProvider"],
    ),
    Case(
        "progressing_unresolved",
        "Progressing",
        f"ProviderNotFound: {UNRESOLVED[0].field}: {UNRESOLVED[0].message}",
        state_of(resolved="ProviderNotFound"),
        findings=UNRESOLVED,
        since=JUST_NOW,
        kinds=_REFERRING,
    ),
    Case(
        "progressing_pause_is_over",
        "Progressing",
        "the operator has not noticed yet that the pause is over",
        state_of("Paused"),
    ),
    Case(
        "progressing_pause_of_an_edit_is_over",
        "Progressing",
        "the operator has not noticed yet that the pause is over",
        state_of("Paused", in_force=2),
        findings=HELD,
    ),
    Case("degraded_rolling_out", "Degraded", f"RollingOut: {ROLLING.message}", rollout=ROLLING),
    Case("degraded_no_routers", "Degraded", f"NoRouters: {NOBODY.message}", rollout=NOBODY),
    Case("degraded_routers_unreachable", "Degraded", f"RoutersUnreachable: {SILENT.message}", rollout=SILENT),
    Case(
        "degraded_unresolved",
        "Degraded",
        f"ProviderNotFound: {UNRESOLVED[0].field}: {UNRESOLVED[0].message}",
        state_of(resolved="ProviderNotFound"),
        findings=UNRESOLVED,
        kinds=_REFERRING,
    ),
    Case(
        "degraded_unresolved_while_paused",
        "Degraded",
        f"ProviderNotFound: {UNRESOLVED[0].field}: {UNRESOLVED[0].message}",
        state_of("Paused", "ProviderNotFound"),
        findings=UNRESOLVED,
        annotations=PAUSED,
        kinds=_REFERRING,
    ),
    Case(
        "degraded_never_valid",
        "Degraded",
        f"Invalid: {INVALID[0].field}: {INVALID[0].message}",
        state_of("Invalid", "Invalid", in_force=None),
        findings=INVALID,
    ),
    Case(
        "degraded_last_good_in_force",
        "Degraded",
        f"Invalid: {INVALID[0].field}: {INVALID[0].message}",
        state_of("Invalid", in_force=2),
        findings=INVALID,
        since=JUST_NOW,
    ),
    Case(
        "degraded_conflict",
        "Degraded",
        f"Conflict: {CONFLICT[0].field}: {CONFLICT[0].message}",
        state_of("Conflict", "Conflict", in_force=None),
        findings=CONFLICT,
        kinds=["WorkspaceBudget"],
    ),
    Case(
        "degraded_snapshot_refused",
        "Degraded",
        f"SnapshotRefused: {REFUSED.message}",
        rollout=REFUSED,
        since=JUST_NOW,
    ),
    Case("suspended_paused", "Suspended", IN_FORCE_BY_PAUSE, state_of("Paused"), annotations=PAUSED),
    Case(
        "suspended_paused_edit_waits",
        "Suspended",
        f"Paused: {HELD[0].message}",
        state_of("Paused", in_force=2),
        findings=HELD,
        annotations=PAUSED,
    ),
    Case(
        "suspended_created_paused",
        "Suspended",
        f"Paused: {HELD[0].message}",
        state_of("Paused", "Paused", in_force=None),
        findings=HELD,
        annotations=PAUSED,
    ),
    Case(
        "suspended_pause_not_noticed_yet", "Suspended", "Paused: the operator has not noticed yet", annotations=PAUSED
    ),
    Case(
        "suspended_by_spec",
        "Suspended",
        "Suspended: the spec is valid; spec.suspend keeps it out of force",
        state_of("Suspended", in_force=None),
        spec={"suspend": True},
        kinds=_SUSPENDABLE,
    ),
    Case("terminating", "Progressing", "it is being deleted", going=True),
    Case(
        "terminating_while_degraded",
        "Progressing",
        "it is being deleted",
        state_of("Invalid", "Invalid", in_force=None),
        findings=INVALID,
        going=True,
    ),
]

_RUNNING_ACTIONS = {"pause": False, "resume": True}
_PAUSED_ACTIONS = {"pause": True, "resume": False}
ICONS = {"pause": "fa fa-fw fa-pause", "resume": "fa fa-fw fa-play"}


@dataclass(frozen=True, slots=True)
class Shown:
    """Which actions are offered for an object; true is disabled."""

    case: Case
    disabled: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Done:
    """What an action makes of an object."""

    action: str
    before: Case
    after: Case


_BARE = Case("running_without_annotations", "", "")
_BARE_PAUSED = Case("paused_without_other_annotations", "", "", annotations=PAUSED)
_TRACKED = Case("running", "", "", annotations=TRACKED)
_TRACKED_PAUSED = Case("paused", "", "", annotations=TRACKED | PAUSED)
_GOING = Case("going", "", "", annotations=PAUSED, going=True)

SHOWN = [
    Shown(_BARE, _RUNNING_ACTIONS),
    Shown(_TRACKED, _RUNNING_ACTIONS),
    Shown(_BARE_PAUSED, _PAUSED_ACTIONS),
    Shown(_TRACKED_PAUSED, _PAUSED_ACTIONS),
    Shown(_GOING, {"pause": True, "resume": True}),
]
DONE = [
    Done("pause", _TRACKED, _TRACKED_PAUSED),
    Done("pause", _BARE, _BARE_PAUSED),
    Done("resume", _TRACKED_PAUSED, _TRACKED),
    Done("resume", _BARE_PAUSED, _BARE),
]
