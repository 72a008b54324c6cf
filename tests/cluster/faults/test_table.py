"""The table of faults in ``docs/operations.md`` is what the tests of this folder measured."""

from __future__ import annotations

from tests.cluster.faults import test_faults, test_traps
from tests.cluster.faults.table import FAULTS
from tests.cluster.faults.world import RECOVERY_SECONDS


def test_every_fault_has_a_row_that_a_run_has_measured() -> None:
    rows = FAULTS.rows(FAULTS.document.read_text())
    assert {row[:2] for row in rows} == FAULTS.marked_in(test_traps, test_faults), (
        "run FAIRLEAD_WRITE_DOCS=1 pytest tests/cluster/faults, remove rows of faults gone"
    )
    assert all(failed == "0" for _, _, failed, _ in rows)
    assert all(float(recovery.removesuffix(" s")) <= RECOVERY_SECONDS for *_, recovery in rows)
