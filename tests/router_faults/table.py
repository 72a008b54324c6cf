"""The table of a router's faults in ``docs/reliability.md``."""

from __future__ import annotations

from pathlib import Path

from tests.fault_table import FaultTable

FAULTS = FaultTable(
    "router_fault",
    Path(__file__).parents[2] / "docs" / "reliability.md",
    "faults",
    (
        "fault",
        "what the router does",
        "requests",
        "failed",
        "needed a second try",
        "served by the fallback",
        "recovery",
    ),
)
