"""Who leads, decided from the Lease as it was read and from when this process first saw it so.

Like client-go's leader election: no clock of another machine is believed. A lease has expired when it has not changed for
its duration *as measured here*, by a clock that never jumps.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """What the Lease says."""

    holder: str
    """Empty: released."""
    transitions: int
    """Grows with each change of holder: the fencing token."""
    renew_time: str
    duration: float

    @classmethod
    def of(cls, lease: Mapping[str, Any]) -> Record:
        """From the API's object."""
        spec = lease.get("spec") or {}
        return cls(
            str(spec.get("holderIdentity") or ""),
            int(spec.get("leaseTransitions") or 0),
            str(spec.get("renewTime") or ""),
            float(spec.get("leaseDurationSeconds") or 0),
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """A record, and since when this process has seen it unchanged (monotonic seconds)."""

    record: Record
    since: float


def observe(before: Observation | None, record: Record, now: float) -> Observation:
    """Keep the time of the first sight while nothing changes."""
    return before if before is not None and before.record == record else Observation(record, now)


def may_take(observed: Observation | None, identity: str, now: float) -> bool:
    """Whether this process may hold the lease now: there is none, it is ours, released, or expired."""
    if observed is None:
        return True
    record = observed.record
    return record.holder in {"", identity} or now - observed.since > record.duration


def next_spec(
    before: Record | None, identity: str, duration: float, wall: datetime.datetime, floor: int = 0
) -> dict[str, Any]:
    """The Lease's spec once ``identity`` holds it. ``wall`` is for people to read.

    ``floor`` is the least number of transitions: a Lease that was deleted or restored would count anew from below.
    """
    stamp = wall.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    transitions = 0 if before is None else before.transitions + (before.holder != identity)
    spec: dict[str, Any] = {
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, round(duration)),
        "leaseTransitions": max(transitions, floor),
        "renewTime": stamp,
    }
    if before is None or before.holder != identity:
        spec["acquireTime"] = stamp
    return spec
