"""What is written into the status of objects, and which events tell of its changes.

In come the states and findings of a compilation and what the ready routers say they run; out go status blocks, whether
they differ from what is written, and events to post. Everything here is pure: the time is handed in, and watching,
polling routers and writing to the API server belong to whoever calls this.
"""

from fairlead_operator.status.conditions import conditions
from fairlead_operator.status.desired import desired_status, differs
from fairlead_operator.status.event_log import Decision, EventLog, Posting
from fairlead_operator.status.events import (
    EventToPost,
    ObjectReference,
    event_body,
    event_name,
    series_patch,
    transitions,
)
from fairlead_operator.status.reasons import ConditionType, OperatorReason, reason_table
from fairlead_operator.status.rollout import Fleet, Refusal, RouterReport
from fairlead_operator.status.standing import Standing, track
from fairlead_operator.status.summary import summaries
from fairlead_operator.status.verdict import Verdict

__all__ = [
    "ConditionType",
    "Decision",
    "EventLog",
    "EventToPost",
    "Fleet",
    "ObjectReference",
    "OperatorReason",
    "Posting",
    "Refusal",
    "RouterReport",
    "Standing",
    "Verdict",
    "conditions",
    "desired_status",
    "differs",
    "event_body",
    "event_name",
    "reason_table",
    "series_patch",
    "summaries",
    "track",
    "transitions",
]
