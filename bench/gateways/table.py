"""The tables of ``docs/performance.md``, written between two marks and nowhere else."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.gateways.cases import MANY, STREAMS, WHOLE, Case
from bench.gateways.ratios import DIRECT, Rounds, added_first_byte_ms, added_ms, middle, per_core
from bench.report import Report
from fairlead_contract.generated import between_marks

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
_MARKS = "bench.gateways"
BEGIN, END = f"<!-- {_MARKS}:begin -->", f"<!-- {_MARKS}:end -->"

_COLUMNS = (
    "server",
    "req/s c=32",
    "per core",
    "p50 / p99 ms c=32",
    "added p50 / p99 ms c=1",
    "200 connections, 50 ms upstream: req/s, p99 ms",
    "added first byte ms c=1",
    "streams/s c=32",
    "CPU µs per stream",
    "RSS MiB (after answers)",
    "ready s",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a server took, beside its rates."""

    label: str
    """Name and version."""
    resident_mib: float
    answers: int
    ready_seconds: float


def markdown(rounds: Rounds, names: Sequence[str], taken: Mapping[str, Taken], report: Report, how: str) -> str:
    """The table of servers, the table of goals, and how both were measured."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    parts = [f"{how} {machine}.", "", _row(_COLUMNS), _row(["---", *["---:"] * (len(_COLUMNS) - 1)])]
    parts += [_row(_server(rounds, name, taken[name])) for name in names]
    parts += ["", _row(["goal", "measured", "promised", "all rounds"]), _row(["---", "---:", "---", "---"])]
    parts += [_row([name, value, verdict, note]) for name, value, verdict, note in report.cells() if verdict]
    return "\n".join(parts)


def write(block: str, document: Path = DOCUMENT) -> None:
    """Put ``block`` in the place of what is between the marks. Raises ``ValueError`` if they are not there, once each."""
    text = document.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{document.name} needs one line {BEGIN} and one line {END}; put them where the tables belong")
    document.write_text(between_marks(text, _MARKS, f"{block}\n"))


def _server(rounds: Rounds, name: str, taken: Taken) -> list[str]:
    def of(case: Case, field: str) -> float:
        return middle(rounds, case, name, field)

    direct = name == DIRECT
    added = [f"{median(added_ms(rounds, name, percent=percent)):.2f}" for percent in (50, 99)]
    return [
        taken.label,
        f"{of(WHOLE, 'per_second'):,.0f}",
        "–" if direct else f"{per_core(rounds, WHOLE, name):,.0f}",
        f"{of(WHOLE, 'p50_ms'):.1f} / {of(WHOLE, 'p99_ms'):.1f}",
        "–" if direct else " / ".join(added),
        f"{of(MANY, 'per_second'):,.0f}, {of(MANY, 'p99_ms'):,.0f}",
        "–" if direct else f"{median(added_first_byte_ms(rounds, name)):.2f}",
        f"{of(STREAMS, 'per_second'):,.0f}",
        "–" if direct else f"{of(STREAMS, 'cpu_us'):,.0f}",
        "–" if direct else f"{taken.resident_mib:.0f} ({taken.answers:,})",
        "–" if direct else f"{taken.ready_seconds:.2f}",
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
