"""One request on its way: what the pipeline knows of it, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_contract.decision import Classification, Facts, Stages
from fairlead_router.admit.priority import Priority
from fairlead_router.cache.ticket import Ticket
from fairlead_router.config.table import PolicyEntry, Table
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.stream import StreamEnd
from fairlead_router.identify.identity import Identity
from fairlead_router.select.selection import Selection
from fairlead_router.trace.context import TraceContext


@dataclass(slots=True)
class Flow:
    """One request between its arrival and its record."""

    id: str
    started: float
    """Monotonic seconds."""
    arrived_at: float
    """Unix seconds."""
    table: Table
    identity: Identity | None = None
    priority: Priority | None = None
    """What its headers say of its urgency."""
    patience: float | None = None
    """Seconds that its headers allow it to wait for a place."""
    waited: float = 0.0
    """Seconds that passed until its body was there, and until there was a place."""
    held: int = 0
    """Bytes of its body, given back at the end."""
    facts: Facts | None = None
    classification: Classification | None = None
    """``None``: no policy that could decide needed one."""
    policy: PolicyEntry | None = None
    selection: Selection | None = None
    stages: Stages | None = None
    trace: TraceContext | None = None
    job: Job | None = None
    ticket: Ticket | None = None
    """If it may be answered with what is kept, or its answer may be kept."""
    committed: float | None = None
    end: StreamEnd | None = None
    """How the stream ended, once all of it is sent."""
