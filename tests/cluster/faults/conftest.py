"""Worlds to break, and the table of what came of it.

``FAIRLEAD_WRITE_DOCS=1 pytest tests/cluster/faults -n 2`` writes the measured recoveries to ``docs/operations.md``.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

import pytest

from devcluster.installation import Installation
from tests.cluster.faults.table import DOCUMENT, Row, read_rows, with_rows
from tests.cluster.faults.world import Record, World, world_on

_PROPERTY = "fault"
_FAULTS = "a fault: its name and what happens meanwhile, for the table in docs/operations.md"
_measured: dict[str, Row] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", f"fault(name, meanwhile): {_FAULTS}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With xdist this runs where reports are gathered."""
    if report.when == "call" and report.passed:
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, list | tuple):
                row = Row(*value)
                _measured[row.fault] = row


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, if asked to, in the process that gathered the reports."""
    if not os.environ.get("FAIRLEAD_WRITE_DOCS") or hasattr(session.config, "workerinput") or not _measured:
        return
    text = DOCUMENT.read_text()
    order = dict.fromkeys((*(row.fault for row in read_rows(text)), *_measured))
    DOCUMENT.write_text(with_rows(text, _measured.values(), order))


@pytest.fixture
def record(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Record:
    """Puts the outcome of the test beside the words of its mark."""

    def put(recovery_seconds: float, failed_requests: int) -> None:
        mark = request.node.get_closest_marker("fault")
        assert mark is not None, "a test that records a fault is marked as one"
        record_property(_PROPERTY, [*mark.args, failed_requests, recovery_seconds])

    return put


@pytest.fixture
async def world(installation: Installation, record: Record) -> AsyncIterator[World]:
    """On the control plane that tests share."""
    async with world_on(installation, record) as made:
        yield made


@pytest.fixture
async def own_world(own_installation: Installation, record: Record) -> AsyncIterator[World]:
    """On a control plane that the test may break."""
    async with world_on(own_installation, record) as made:
        yield made
