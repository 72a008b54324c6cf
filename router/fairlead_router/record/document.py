"""Writes the table of metrics in ``docs/observability.md``: ``python -m fairlead_router.record.document FILE [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fairlead_contract.generated import between_marks, rewrite, table
from fairlead_router.record.metric_table import Metric


def documented(text: str) -> str:
    """``text`` with the table between its markers written anew. Raises ``ValueError`` if a marker is missing."""
    return between_marks(text, "metrics", table(("metric", "type", "labels", "meaning"), _rows()))


def _rows() -> Iterator[tuple[str, ...]]:
    for spec in (metric.value for metric in Metric):
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        yield f"`{spec.exposed_name}`", spec.type.value, labels, spec.help


def main(arguments: list[str]) -> int:
    """Write the tables, or with ``--check`` say whether they differ. Returns the exit status."""
    return rewrite(arguments, documented)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
