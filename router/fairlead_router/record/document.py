"""Writes the table of metrics in ``docs/observability.md``: ``python -m fairlead_router.record.document FILE [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fairlead_router.record.metric_table import Metric

_BEGIN, _END = "<!-- metrics:begin -->\n", "<!-- metrics:end -->"


def documented(text: str) -> str:
    """``text`` with the table between its markers written anew. Raises ``ValueError`` if a marker is missing."""
    before, begun, rest = text.partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    if not begun or not ended:
        raise ValueError(f"there are no markers {_BEGIN.strip()} and {_END}, each on a line of its own")
    return f"{before}{_BEGIN}{''.join(_table())}{_END}{after}"


def _table() -> Iterator[str]:
    for cells in (("metric", "type", "labels", "meaning"), ("---",) * 4):
        yield f"| {' | '.join(cells)} |\n"
    for spec in (metric.value for metric in Metric):
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        yield f"| `{spec.exposed_name}` | {spec.type.value} | {labels} | {spec.help} |\n"


def main(arguments: list[str]) -> int:
    """Write the table, or with ``--check`` say whether it differs. Returns the exit status."""
    check = "--check" in arguments
    path = Path(next(argument for argument in arguments if argument != "--check"))
    before = path.read_text()
    after = documented(before)
    if check and after != before:
        print(f"{path} is not what the metrics say; run `make generate`", file=sys.stderr)
        return 1
    if after != before:
        path.write_text(after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
