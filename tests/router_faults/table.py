"""The table of faults in ``docs/reliability.md``, as data and as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairlead_contract.generated import between_marks

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"
_HEAD = (
    "| fault | what the router does | requests | failed | needed a second try | served by the fallback | recovery |\n"
    "|---|---|---:|---:|---:|---:|---:|\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what it is, what the router does, and what was measured while it lasted."""

    fault: str
    meanwhile: str
    requests: int
    failed: int
    retried: int
    fallback_percent: int
    recovery_seconds: float

    def __str__(self) -> str:
        return (
            f"| {self.fault} | {self.meanwhile} | {self.requests} | {self.failed} | {self.retried} "
            f"| {self.fallback_percent} % | {self.recovery_seconds:.1f} s |"
        )


def read_rows(text: str) -> list[Row]:
    """The rows between the markers. Raises ``ValueError`` if the markers are missing."""
    _, begin, rest = text.partition(BEGIN)
    inside, end, _ = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} lacks the markers {BEGIN} and {END}")
    rows = []
    for line in inside.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 7 and cells[6].endswith(" s"):
            requests, failed, retried = map(int, cells[2:5])
            percent, seconds = int(cells[5].removesuffix(" %")), float(cells[6].removesuffix(" s"))
            rows.append(Row(cells[0], cells[1], requests, failed, retried, percent, seconds))
    return rows


def with_rows(text: str, measured: Iterable[Row], order: Iterable[str]) -> str:
    """``text`` with newly measured rows in the place of old ones; faults that are not in ``order`` are dropped."""
    rows = {row.fault: row for row in (*read_rows(text), *measured)}
    table = _HEAD + "".join(f"{rows[fault]}\n" for fault in order if fault in rows)
    return between_marks(text, "faults", table)
