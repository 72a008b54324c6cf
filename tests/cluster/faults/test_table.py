"""The table of faults in ``docs/operations.md`` is what the tests of this folder measured."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.cluster.faults import test_faults, test_traps
from tests.cluster.faults.table import BEGIN, DOCUMENT, END, Row, read_rows, with_rows
from tests.cluster.faults.world import RECOVERY_SECONDS


def marks(module: ModuleType) -> list[pytest.Mark]:
    """Of all faults in ``module``."""
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [mark for test in tests for mark in getattr(test, "pytestmark", ()) if mark.name == "fault"]


def test_every_fault_has_a_row_that_a_run_has_measured() -> None:
    rows = read_rows(DOCUMENT.read_text())
    faults = {mark.args for module in (test_traps, test_faults) for mark in marks(module)}
    assert {(row.fault, row.meanwhile) for row in rows} == faults, (
        "run FAIRLEAD_WRITE_DOCS=1 pytest tests/cluster/faults"
    )
    assert all(row.failed_requests == 0 and row.recovery_seconds <= RECOVERY_SECONDS for row in rows)


def test_a_row_that_is_measured_again_takes_the_place_of_the_old_one() -> None:
    text = f"# Faults\n\n{BEGIN}\n{END}\n\nThe end.\n"
    one, two = Row("a", "b", 0, 1.25), Row("c", "d", 0, 2.0)
    first = with_rows(text, [one, two], ["a", "c"])
    again = with_rows(first, [Row("a", "b", 0, 3.0)], ["a", "c"])
    assert read_rows(again) == [Row("a", "b", 0, 3.0), two]
    assert again.startswith("# Faults\n\n")
    assert again.endswith("\n\nThe end.\n")
    assert read_rows(with_rows(again, [], ["c"])) == [two]
