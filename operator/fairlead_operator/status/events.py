"""Events for changes of conditions: conditions hold how it is, events how it came to be.

An event is posted when an object is first seen, and when a person would want to know: Accepted or ResolvedRefs change,
a generation runs everywhere, a router refuses one, endpoints break or are well again. What passes by itself, or concerns
all objects at once, such as RollingOut or NoRouters, is left to the conditions and to metrics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fairlead_operator.status.endpoints import ENDPOINT_REASONS
from fairlead_operator.status.reasons import ConditionType, OperatorReason
from fairlead_operator.status.wording import cut, cut_bytes

REPORTING_CONTROLLER = "fairlead.dev/operator"
MAX_NOTE_BYTES = 1024
"""As the API server bounds ``note`` (k8s.io/kubernetes pkg/apis/core/validation/events.go)."""
MAX_INSTANCE_CHARACTERS = 128
MAX_NAME_CHARACTERS = 253

Conditions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class EventToPost:
    """One event before it has a time."""

    regarding: ObjectReference
    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    action: str
    once: bool = False
    """Whether it is said a single time, however often it comes true again."""

    @property
    def name(self) -> str:
        """The name of the Event object."""
        return event_name(self.regarding, self.reason, self.note)


def transitions(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], regarding: ObjectReference
) -> list[EventToPost]:
    """The events that tell of going from the conditions ``before`` (empty at first sight) to those ``after``."""
    was, now = _by_type(before), _by_type(after)
    tell = (_accepted, _resolved, _programmed, _endpoints)
    found = [each(was, now, regarding) for each in tell]
    return [event for event in found if event is not None]


def event_name(regarding: ObjectReference, reason: str, note: str) -> str:
    """The same for the same event, so that writing it again meets the one that is there; a DNS-1123 subdomain."""
    said = "\0".join((regarding.uid, reason, note)).encode(errors="replace")
    suffix = "." + hashlib.sha256(said).hexdigest()[:16]
    return regarding.name[: MAX_NAME_CHARACTERS - len(suffix)].rstrip("-.") + suffix


def event_body(event: EventToPost, instance: str, now: datetime) -> dict[str, Any]:
    """The body to create, ``events.k8s.io/v1``. ``instance`` is the name of the operator's pod."""
    about = event.regarding
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event.name, "namespace": about.namespace},
        "eventTime": _micro_time(now),
        "type": event.type,
        "reason": event.reason,
        "action": event.action,
        "note": cut_bytes(event.note, MAX_NOTE_BYTES),
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": cut(instance, MAX_INSTANCE_CHARACTERS),
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }


def series_patch(count: int, now: datetime) -> dict[str, Any]:
    """A merge patch for an event that is there: it has been seen ``count`` times, at least 2, and last ``now``."""
    return {"series": {"count": max(2, count), "lastObservedTime": _micro_time(now)}}


def _accepted(was: Conditions, now: Conditions, regarding: ObjectReference) -> EventToPost | None:
    condition = now.get(ConditionType.ACCEPTED)
    if condition is None or _word(was.get(ConditionType.ACCEPTED)) == _word(condition):
        return None
    return _event(condition, regarding, "Compile")


def _resolved(was: Conditions, now: Conditions, regarding: ObjectReference) -> EventToPost | None:
    """References of a spec that is not accepted are not followed, so neither their loss nor their return is news."""
    condition = now.get(ConditionType.RESOLVED_REFS)
    if condition is None or _echoes_accepted(now):
        return None
    known = None if _echoes_accepted(was) else _word(was.get(ConditionType.RESOLVED_REFS))
    if known == _word(condition) or (known is None and condition["status"] == "True"):
        return None
    return _event(condition, regarding, "ResolveReferences")


def _programmed(was: Conditions, now: Conditions, regarding: ObjectReference) -> EventToPost | None:
    ready, known = now.get(ConditionType.READY), was.get(ConditionType.READY)
    if ready is None:
        return None
    generation = ready["observedGeneration"]
    if ready["status"] == "True":
        if known is not None and known.get("status") == "True" and known.get("observedGeneration") == generation:
            return None
        note = f"every ready router runs generation {generation}"
        return EventToPost(regarding, "Normal", OperatorReason.PROGRAMMED.value, note, "Program", once=True)
    if ready["reason"] == OperatorReason.SNAPSHOT_REFUSED and _word(known) != _word(ready):
        return _event(ready, regarding, "Program")
    return None


def _endpoints(was: Conditions, now: Conditions, regarding: ObjectReference) -> EventToPost | None:
    known, found = (_about_endpoints(each.get(ConditionType.DEGRADED)) for each in (was, now))
    if _word(known) == _word(found):
        return None
    if found is not None:
        return EventToPost(regarding, "Warning", found["reason"], found["message"], "WatchEndpoints")
    note = "no router knows anything against the endpoints any more"
    return EventToPost(regarding, "Normal", OperatorReason.ENDPOINTS_WELL.value, note, "WatchEndpoints")


def _about_endpoints(degraded: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return degraded if degraded is not None and degraded.get("reason") in ENDPOINT_REASONS else None


def _event(condition: Mapping[str, Any], regarding: ObjectReference, action: str) -> EventToPost:
    kind: Literal["Normal", "Warning"] = "Normal" if condition["status"] == "True" else "Warning"
    return EventToPost(regarding, kind, condition["reason"], condition["message"], action)


def _by_type(conditions: Sequence[Mapping[str, Any]]) -> Conditions:
    return {str(item.get("type")): item for item in conditions}


def _word(condition: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    return None if condition is None else (condition.get("status"), condition.get("reason"))


def _echoes_accepted(conditions: Conditions) -> bool:
    accepted = _word(conditions.get(ConditionType.ACCEPTED))
    return (
        accepted is not None
        and accepted[0] == "False"
        and accepted == _word(conditions.get(ConditionType.RESOLVED_REFS))
    )


def _micro_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
