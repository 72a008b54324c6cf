"""Read and compile once; say what came out if it differs from the time before."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from fairlead_cli.files.frames import Frame, LocatedFinding
from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity
from fairlead_cli.files.source import FolderReader, Reading
from fairlead_contract.snapshot import Credentials
from fairlead_crds.compile import Previous, compile_resources
from fairlead_crds.compile.findings import Finding
from fairlead_crds.compile.resources import Settings

logger = logging.getLogger("fairlead.files")

_NOTHING_YET = Frame(b"", Credentials(), [], [], 0)


@dataclass(slots=True)
class FolderCompiler:
    """Turns what a reader finds into frames. A bug on the way becomes a problem; the last snapshot stays."""

    reader: FolderReader
    settings: Settings
    previous: Previous | None = None
    """What a compiler before this one published: its history goes on, and what it accepted last stays in force."""
    _resuming: bool = field(init=False)
    _last: Frame = field(default=_NOTHING_YET)
    _sent: bool = False

    def __post_init__(self) -> None:
        self._resuming = self.previous is not None

    def step(self) -> Frame | None:
        """The frame to send, or ``None`` when nothing that anybody could notice has changed."""
        try:
            frame = self._compile()
        except Exception as error:  # the process must outlive any one folder
            logger.exception("compiling %s failed", ", ".join(self.reader.roots))
            frame = self._failed(error)
        if self._sent and _noticeable(frame) == _noticeable(self._last):
            return None
        self._last, self._sent = frame, True
        return frame

    def _compile(self) -> Frame:
        reading = self.reader.read()
        if self._resuming and self._unreadable_may_hold_what_is_missing(reading):
            return Frame(b"", Credentials(), [], list(reading.problems), 0)
        self._resuming = False
        compilation = compile_resources(reading.resources, self.previous, self.settings)
        sealed = compilation.snapshot.to_bytes()
        findings = locate(compilation.findings, reading)
        self.previous = compilation.previous
        return Frame(
            sealed,
            reading.credentials,
            findings,
            list(reading.problems),
            len(reading.resources.objects),
        )

    def _unreadable_may_hold_what_is_missing(self, reading: Reading) -> bool:
        """Whether an object that is in force may stand in a file that this process has never been able to read.

        Such an object must not be taken for deleted, so nothing is compiled until the files can be read.
        """
        if self.previous is None or not any(problem.severity is ProblemSeverity.ERROR for problem in reading.problems):
            return False
        in_force = {key for key in self.previous.entries if key.namespace}
        return not in_force <= reading.declared.keys()

    def _failed(self, error: Exception) -> Frame:
        problem = Problem(
            self.reader.roots[0],
            0,
            0,
            ProblemSeverity.ERROR,
            ProblemReason.COMPILER_FAILED,
            f"this is a defect of fairlead, please report it: {type(error).__name__}: {error}; "
            "what ran before keeps running",
        )
        last = self._last
        others = [known for known in last.problems if known.reason is not ProblemReason.COMPILER_FAILED]
        return Frame(
            last.sealed,
            last.credentials,
            last.findings,
            [problem, *others],
            last.objects,
        )


def locate(findings: Iterable[Finding], reading: Reading) -> list[LocatedFinding]:
    """``findings`` with file, line and column, in the order of the files."""
    located = []
    for finding in findings:
        file, place = reading.locate(finding.kind, finding.namespace, finding.name, finding.field)
        located.append(
            LocatedFinding(
                file,
                place.line,
                place.column,
                finding.kind,
                finding.namespace,
                finding.name,
                finding.field,
                finding.severity.value,
                finding.reason.value,
                finding.message,
            )
        )
    return sorted(located, key=lambda item: (item.file, item.line, item.column, item.field, item.message))


def _noticeable(frame: Frame) -> tuple[object, ...]:
    return (frame.sealed, frame.credentials, frame.findings, frame.problems, frame.objects)
