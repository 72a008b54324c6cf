"""The table of faults in ``docs/reliability.md`` is what the tests of this folder measured."""

from __future__ import annotations

import pytest

from tests.router_faults import test_router_faults
from tests.router_faults.table import BEGIN, DOCUMENT, END, Row, read_rows, with_rows


def marks() -> set[tuple[str, str]]:
    """Name and meanwhile of all faults that are tested."""
    found: list[pytest.Mark] = []
    for name, test in vars(test_router_faults).items():
        if not name.startswith("test_"):
            continue
        for mark in getattr(test, "pytestmark", ()):
            if mark.name == "router_fault":
                found.append(mark)
            elif mark.name == "parametrize":
                found += [each for parameter in mark.args[1] for each in getattr(parameter, "marks", ())]
    return {(str(mark.args[0]), str(mark.args[1])) for mark in found}


def test_every_fault_has_a_row_that_a_run_has_measured() -> None:
    rows = read_rows(DOCUMENT.read_text())
    assert {(row.fault, row.meanwhile) for row in rows} == marks(), (
        "run FAIRLEAD_WRITE_DOCS=1 pytest tests/router_faults"
    )
    assert {row.fault for row in rows if row.failed} == {"stream cut after its first event"}


def test_a_row_that_is_measured_again_takes_the_place_of_the_old_one() -> None:
    text = f"# Faults\n\n{BEGIN}\n{END}\n\nThe end.\n"
    one, two = Row("a", "b", 150, 0, 3, 99, 1.2), Row("c", "d", 200, 1, 0, 0, 2.0)
    first = with_rows(text, [one, two], ["a", "c"])
    again = with_rows(first, [Row("a", "b", 151, 0, 3, 98, 3.0)], ["a", "c"])
    assert read_rows(again) == [Row("a", "b", 151, 0, 3, 98, 3.0), two]
    assert again.startswith("# Faults\n\n")
    assert again.endswith("\n\nThe end.\n")
    assert read_rows(with_rows(again, [], ["c"])) == [two]
