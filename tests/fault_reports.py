"""Gathers what tests of faults measured, and writes it into the table of a document."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pytest


class Row(Protocol):
    """One fault and what was measured."""

    @property
    def fault(self) -> str:
        """Its name."""
        ...


R = TypeVar("R", bound=Row)


class FaultReports(Generic[R]):
    """What tests recorded under ``name``, as rows of a table that knows how to read and write itself."""

    def __init__(
        self,
        name: str,
        document: Path,
        row: Callable[..., R],
        read_rows: Callable[[str], list[R]],
        with_rows: Callable[[str, Iterable[R], Iterable[str]], str],
    ) -> None:
        self.name = name
        self._document = document
        self._row = row
        self._read_rows = read_rows
        self._with_rows = with_rows
        self._measured: dict[str, R] = {}

    def gather(self, report: pytest.TestReport) -> None:
        """From ``pytest_runtest_logreport``; with xdist that runs where reports are gathered."""
        if report.when == "call" and report.passed:
            for name, value in report.user_properties:
                if name == self.name and isinstance(value, list | tuple):
                    row = self._row(*value)
                    self._measured[row.fault] = row

    def write(self, session: pytest.Session) -> None:
        """From ``pytest_sessionfinish``: write the table, if asked to, in the process that gathered the reports."""
        if not os.environ.get("FAIRLEAD_WRITE_DOCS") or hasattr(session.config, "workerinput") or not self._measured:
            return
        text = self._document.read_text()
        order = dict.fromkeys((*(row.fault for row in self._read_rows(text)), *self._measured))
        self._document.write_text(self._with_rows(text, self._measured.values(), order))
