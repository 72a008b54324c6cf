"""The table of faults in a cluster in ``docs/reliability.md``."""

from __future__ import annotations

from pathlib import Path

from tests.fault_table import FaultTable

FAULTS = FaultTable(
    "cluster_fault",
    Path(__file__).parents[3] / "docs" / "reliability.md",
    "cluster-faults",
    ("fault", "what happens", "requests", "failed", "sent again", "by the fallback", "slowest answer", "recovery"),
)
