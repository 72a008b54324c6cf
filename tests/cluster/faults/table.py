"""The table of faults in ``docs/operations.md``, as data and as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairlead_contract.generated import between_marks

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"
_HEAD = "| fault | meanwhile | failed requests | recovery |\n|---|---|---:|---:|\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what it is, what happens meanwhile, and what was measured."""

    fault: str
    meanwhile: str
    failed_requests: int
    recovery_seconds: float

    def __str__(self) -> str:
        return f"| {self.fault} | {self.meanwhile} | {self.failed_requests} | {self.recovery_seconds:.1f} s |"


def read_rows(text: str) -> list[Row]:
    """The rows between the markers. Raises ``ValueError`` if the markers are missing."""
    rows = []
    for line in _between(text).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[3].endswith(" s"):
            rows.append(Row(cells[0], cells[1], int(cells[2]), float(cells[3].removesuffix(" s"))))
    return rows


def with_rows(text: str, measured: Iterable[Row], order: Iterable[str]) -> str:
    """``text`` with newly measured rows in the place of old ones; faults that are not in ``order`` are dropped."""
    rows = {row.fault: row for row in (*read_rows(text), *measured)}
    table = _HEAD + "".join(f"{rows[fault]}\n" for fault in order if fault in rows)
    return between_marks(text, "faults", table)


def _between(text: str) -> str:
    _, begin, rest = text.partition(BEGIN)
    inside, end, _ = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} lacks the markers {BEGIN} and {END}")
    return inside
