"""The table of faults in a cluster is what the tests of this folder measured."""

from __future__ import annotations

from tests.e2e.fairlead import test_faults
from tests.e2e.fairlead.table import FAULTS


def test_every_fault_has_a_row_that_a_run_has_measured() -> None:
    rows = FAULTS.rows(FAULTS.document.read_text())
    assert {row[:2] for row in rows} == FAULTS.marked_in(test_faults), (
        "run FAIRLEAD_WRITE_DOCS=1 make e2e, remove rows of faults gone"
    )
