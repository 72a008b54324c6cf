"""The table of faults of a control plane in ``docs/operations.md``."""

from __future__ import annotations

from pathlib import Path

from tests.fault_table import FaultTable

FAULTS = FaultTable(
    "fault",
    Path(__file__).parents[3] / "docs" / "operations.md",
    "faults",
    ("fault", "meanwhile", "failed requests", "recovery"),
)
