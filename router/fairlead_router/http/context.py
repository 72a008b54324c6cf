"""What handlers find in their application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from fairlead_router.config.doors.status import Doors
from fairlead_router.http.leaving import Leaving
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.recorder import Recorder
from fairlead_router.settings import Settings


@dataclass(slots=True)
class Context:
    """Everything a handler may need."""

    pipeline: Pipeline
    recorder: Recorder
    settings: Settings
    version: str
    doors: Doors
    """Where snapshots come from, as shown in ``/-/config``."""
    degraded: dict[str, str] = field(default_factory=dict)
    """Named states that do not stop requests, by component; shown in /health/detailed."""
    findings: list[Any] = field(default_factory=list)
    """What the compiler says of the resources, when they are read from files."""
    leaving: Leaving = field(default_factory=Leaving)
    wait_for_all: bool = False
    """Readiness waits for the other workers of this machine."""


CONTEXT = web.AppKey("context", Context)
