"""What handlers find in their application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fairlead_router.classify.service import ClassifierService
from fairlead_router.config.doors.status import Doors
from fairlead_router.http.leaving import Leaving
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.recorder import Recorder
from fairlead_router.settings import Settings

if TYPE_CHECKING:
    from fairlead_router.http.updates import Updates


@dataclass(slots=True)
class Context:
    """Everything a handler may need."""

    pipeline: Pipeline
    recorder: Recorder
    settings: Settings
    version: str
    classifier: ClassifierService
    doors: Doors
    """Where snapshots come from, as shown in ``/-/config``."""
    degraded: dict[str, str] = field(default_factory=dict)
    """Named states that do not stop requests, by component; shown in /health/detailed."""
    findings: list[Any] = field(default_factory=list)
    """What the compiler says of the resources, when they are read from files."""
    leaving: Leaving = field(default_factory=Leaving)
    updates: Updates | None = None
    """Where changes of models are written; ``None``: this router does not own what it runs."""
    wait_for_all: bool = False
    """Readiness waits for the other workers of this machine."""


CONTEXT = web.AppKey("context", Context)
