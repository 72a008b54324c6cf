"""What the compiler says, put into the router of this process."""

from __future__ import annotations

import logging

from fairlead_cli.files.frames import Frame
from fairlead_cli.files.problems import ProblemSeverity
from fairlead_contract.snapshot import Sealed, SnapshotRejected
from fairlead_router.http.context import Context

logger = logging.getLogger("fairlead.compiler")

SOURCE = "files"
"""Name of the compiler among the doors."""


class RouterFeed:
    """A :class:`~fairlead_cli.compiler_child.Audience`: one router."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def compiled(self, frame: Frame) -> None:
        """Show what is wrong, and run the snapshot if there is one."""
        context = self._context
        context.findings = [*frame.findings, *frame.problems]
        errors = sum(problem.severity is ProblemSeverity.ERROR for problem in frame.problems)
        errors += sum(finding.severity == "Error" for finding in frame.findings)
        self.degraded(
            "resources", f"ResourcesInvalid: {errors} errors; what was accepted last is served" if errors else None
        )
        if not frame.sealed:
            return
        try:
            sealed = Sealed.from_bytes(frame.sealed)
        except SnapshotRejected as rejected:
            logger.error("the compiler sent an unreadable snapshot: %s", rejected)
            return
        await context.pipeline.receiver.offer(sealed, frame.credentials, source=SOURCE)

    def degraded(self, component: str, state: str | None) -> None:
        """Name a state that stops no request, or take it back."""
        if state is None:
            self._context.degraded.pop(component, None)
        else:
            self._context.degraded[component] = state
