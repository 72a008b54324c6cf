"""The table of values in ``docs/chart.md``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from charts.generate.schema import type_of
from charts.generate.values import BadValues, Value
from fairlead_contract.generated import between_marks

_LONGEST_DEFAULT = 60


def with_table(document: str, values: Iterable[Value]) -> str:
    """``document`` with the table between its marks. Raises ``BadValues`` where they are missing."""
    try:
        return between_marks(document, "values", _table(values))
    except ValueError as error:
        raise BadValues(f"docs/chart.md: {error}") from error


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
