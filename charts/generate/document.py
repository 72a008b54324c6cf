"""The table of values in ``docs/chart.md``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from charts.generate.schema import type_of
from charts.generate.values import BadValues, Value

BEGIN, END = "<!-- values:begin -->", "<!-- values:end -->"
_LONGEST_DEFAULT = 60


def with_table(document: str, values: Iterable[Value]) -> str:
    """``document`` with the table between its marks. Raises ``BadValues`` where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadValues(f"docs/chart.md: the table of values goes between {BEGIN} and {END}, which are not both there")
    return f"{before}{BEGIN}\n{_table(values)}{END}{after}"


def _table(values: Iterable[Value]) -> str:
    rows = ["| value | type | default | meaning |", "| --- | --- | --- | --- |"]
    for top in values:
        if top.below:
            rows.append(f"| **`{top.name}`** | | | {_cell(top.text)} |")
        rows += [
            f"| `{leaf.name}` | {type_of(leaf)} | {_default(leaf.default)} | {_cell(leaf.text)} |"
            for leaf in top.leaves()
        ]
    return "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{_cell(text)}`" if len(text) <= _LONGEST_DEFAULT else "see values.yaml"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
