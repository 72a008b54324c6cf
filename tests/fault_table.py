"""Tables of faults in the documentation, written by the tests that measured them when ``FAIRLEAD_WRITE_DOCS`` is set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

from fairlead_contract.generated import between_marks, table

Row: TypeAlias = tuple[str, ...]
"""A fault, what happens meanwhile, and the figures, each as it is written."""


class FaultTable:
    """The one between the marks ``between`` of ``document``; rows are measured by tests that bear ``mark``."""

    def __init__(self, mark: str, document: Path, between: str, head: Sequence[str]) -> None:
        self.mark = mark
        self.document = document
        self._between = between
        self._head = head
        self._measured: dict[str, Row] = {}

    def join(self, config: pytest.Config) -> None:
        """From ``pytest_configure``: declare the mark, and hear of reports and of the end."""
        meaning = f"a fault, for the table in docs/{self.document.name}"
        config.addinivalue_line("markers", f"{self.mark}(name, meanwhile): {meaning}")
        config.pluginmanager.register(self)

    def property_of(self, request: pytest.FixtureRequest, *figures: str) -> tuple[str, Row]:
        """What a test records: the words of its mark, and what it measured."""
        mark = request.node.get_closest_marker(self.mark)
        assert mark is not None, "a test that records a fault is marked as one"
        row = (*mark.args, *figures)
        assert len(row) == len(self._head)
        assert not any("|" in cell for cell in row), "cells are read back by that"
        return self.mark, row

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was measured; with xdist that runs where reports are gathered."""
        if report.when == "call" and report.passed:
            for name, value in report.user_properties:
                if name == self.mark and isinstance(value, list | tuple):
                    self._measured[value[0]] = tuple(value)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the table, if asked to, in the process that gathered the reports."""
        if not os.environ.get("FAIRLEAD_WRITE_DOCS") or hasattr(session.config, "workerinput") or not self._measured:
            return
        self.document.write_text(self.with_rows(self.document.read_text(), self._measured.values()))

    def rows(self, text: str) -> list[Row]:
        """Those of the table in ``text``."""
        inside = text.partition(f"<!-- {self._between}:begin -->")[2].partition(f"<!-- {self._between}:end -->")[0]
        lines = [line.strip("|").split("|") for line in inside.splitlines() if line.startswith("|")]
        return [tuple(cell.strip() for cell in cells) for cells in lines[2:]]

    def with_rows(self, text: str, measured: Iterable[Row]) -> str:
        """``text`` with newly measured rows in the place of old ones or after them.

        A run may measure some faults only, so rows of faults that are no more are for people to remove. Raises ``ValueError``
        if ``text`` lacks the marks.
        """
        rows = {row[0]: row for row in (*self.rows(text), *measured)}
        return between_marks(text, self._between, table(self._head, rows.values()))

    def marked_in(self, *modules: ModuleType) -> set[Row]:
        """Name and meanwhile of all faults that tests of some modules bear, parameters of theirs included."""
        tests = [value for module in modules for name, value in vars(module).items() if name.startswith("test_")]
        marks: list[pytest.Mark] = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
        for mark in [each for each in marks if each.name == "parametrize"]:
            marks += [inner for parameter in mark.args[1] for inner in getattr(parameter, "marks", ())]
        return {mark.args for mark in marks if mark.name == self.mark}
