"""What a benchmark found: figures, goals met or missed, printed as one table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; with a goal if somebody promised something about it."""

    name: str
    value: float
    unit: str = ""
    goal: float | None = None
    at_least: bool = False
    """Whether ``goal`` is a floor rather than a ceiling."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """``None`` without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def verdict(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {_number(self.goal)} {'met' if self.met else 'MISSED'}"


@dataclass(slots=True)
class Report:
    """Rows in the order in which they were found."""

    title: str
    rows: list[Row] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float,
        unit: str = "",
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> None:
        """One more figure, with a ceiling or a floor."""
        goal = at_most if at_least is None else at_least
        self.rows.append(Row(name, value, unit, goal, at_least is not None, note))

    def cells(self) -> list[tuple[str, str, str, str]]:
        """Name, value, verdict and note of each row, for people."""
        return [(row.name, f"{_number(row.value)} {row.unit}".strip(), row.verdict, row.note) for row in self.rows]

    def text(self) -> str:
        """The table."""
        cells = self.cells()
        widths = [max([len(cell[column]) for cell in cells], default=0) for column in range(3)]
        lines = [
            f"{name:<{widths[0]}}  {value:>{widths[1]}}  {verdict:<{widths[2]}}  {note}".rstrip()
            for name, value, verdict, note in cells
        ]
        return "\n".join([self.title, "-" * len(self.title), *lines])

    def publish(self, path: Path | None, *, strict: bool, details: Mapping[str, object] | None = None) -> int:
        """Print the table, write the JSON, with ``details`` that the rows come from; the exit status: 1 if ``strict`` and a
        goal is missed.
        """
        print(self.text())
        missed = [row.name for row in self.rows if row.met is False]
        print(f"\ngoals missed: {', '.join(missed)}" if missed else "\nall goals met")
        if path is not None:
            rows = [finite(asdict(row)) | {"met": row.met} for row in self.rows]
            found = {"title": self.title, "rows": rows, **(details or {})}
            path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return 1 if strict and missed else 0


def finite(figures: Mapping[str, object]) -> dict[str, object]:
    """With null for what is infinite, which JSON has no word for."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: a value that was measured, never one between two."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
