"""The table of faults in ``docs/reliability.md`` is what the tests of this folder measured."""

from __future__ import annotations

from tests.router_faults import test_router_faults
from tests.router_faults.table import FAULTS

_FAILED = 3


def test_every_fault_has_a_row_that_a_run_has_measured() -> None:
    rows = FAULTS.rows(FAULTS.document.read_text())
    assert {row[:2] for row in rows} == FAULTS.marked_in(test_router_faults), (
        "run FAIRLEAD_WRITE_DOCS=1 pytest tests/router_faults, remove rows of faults gone"
    )
    assert {row[0] for row in rows if row[_FAILED] != "0"} == {"stream cut after its first event"}
