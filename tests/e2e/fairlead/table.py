"""The table of faults in a cluster in ``docs/reliability.md``, as data and as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from fairlead_contract.generated import between_marks, table

DOCUMENT = Path(__file__).parents[3] / "docs" / "reliability.md"
_MARKS = "cluster-faults"
_HEAD = ("fault", "what happens", "requests", "failed", "sent again", "by the fallback", "slowest answer", "recovery")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what it is, what happens meanwhile, and what was measured, as the table has it."""

    fault: str
    meanwhile: str
    requests: str
    failed: str
    sent_again: str
    by_fallback: str
    slowest: str
    recovery: str


def read_rows(text: str) -> list[Row]:
    """The rows between the marks."""
    inside = text.partition(f"<!-- {_MARKS}:begin -->")[2].partition(f"<!-- {_MARKS}:end -->")[0]
    rows = [line.strip("|").split("|") for line in inside.splitlines() if line.startswith("|")]
    return [Row(*(cell.strip() for cell in cells)) for cells in rows[2:]]


def with_rows(text: str, measured: Iterable[Row], order: Iterable[str]) -> str:
    """``text`` with newly measured rows in the place of old ones. Raises ``ValueError`` if the marks are missing."""
    rows = {row.fault: row for row in (*read_rows(text), *measured)}
    return between_marks(text, _MARKS, table(_HEAD, [astuple(rows[fault]) for fault in order if fault in rows]))
