"""Writes the tables of ``docs/operations.md`` that the code knows: ``python -m fairlead_operator.document FILE [--check]``."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import MISSING, fields

from prometheus_client.metrics import MetricWrapperBase

from fairlead_contract.generated import between_marks, rewrite, table
from fairlead_operator.metrics import Metrics
from fairlead_operator.settings import Settings
from fairlead_operator.status.reasons import reason_table


def documented(text: str) -> str:
    """``text`` with the tables between their markers written anew. Raises ``ValueError`` if a marker is missing."""
    for name, head, rows in (
        ("settings", ("variable", "default", "meaning"), settings_rows()),
        ("reasons", ("condition", "reason", "meaning", "what to do"), reason_rows()),
        ("metrics", ("metric", "type", "labels", "meaning"), metric_rows()),
    ):
        text = between_marks(text, name, table(head, rows))
    return text


def settings_rows() -> list[tuple[str, ...]]:
    """Variable, default and meaning of each setting, from the source of :class:`Settings`."""
    said = _docstrings(Settings)
    rows: list[tuple[str, ...]] = []
    for setting in fields(Settings):
        known = setting.default is not MISSING
        default = _default(setting.default) if known else "host name and process id"
        rows.append((f"`FAIRLEAD_{setting.name.upper()}`", default, said.get(setting.name, "")))
    return rows


def reason_rows() -> list[tuple[str, ...]]:
    """Condition, reason, meaning and remedy."""
    return [(f"`{kind}`", f"`{reason}`", meaning, remedy) for kind, reason, meaning, remedy in reason_table()]


def metric_rows() -> list[tuple[str, ...]]:
    """Name as exposed, type, labels and meaning of each metric."""
    rows: list[tuple[str, ...]] = []
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            name = described.name + ("_total" if described.type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # no public way leads to them
            rows.append((f"`{name}`", described.type, labels, described.documentation))
    return rows


def _docstrings(of: type) -> dict[str, str]:
    """The literals below the fields of a class, each in one line of Markdown."""
    body = ast.parse(inspect.getsource(of)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(below.value.value).replace("``", "`").split())
    return found


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def main(arguments: list[str]) -> int:
    """Write the tables, or with ``--check`` say whether they differ. Returns the exit status."""
    return rewrite(arguments, documented)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
