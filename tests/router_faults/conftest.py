"""Writes what was measured: ``FAIRLEAD_WRITE_DOCS=1 pytest tests/router_faults`` puts it into ``docs/reliability.md``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault_reports import FaultReports
from tests.router_faults.load import Measured
from tests.router_faults.table import DOCUMENT, Row, read_rows, with_rows

_reports = FaultReports("router_fault", DOCUMENT, Row, read_rows, with_rows)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line(
        "markers", "router_fault(name, meanwhile): a fault of a provider, for the table in docs/reliability.md"
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was measured."""
    _reports.gather(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, if asked to."""
    _reports.write(session)


@pytest.fixture
def record(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[Measured], None]:
    """Puts what a test measured beside the words of its mark."""

    def put(measured: Measured) -> None:
        mark = request.node.get_closest_marker("router_fault")
        assert mark is not None, "a test that records a fault is marked as one"
        numbers = (
            measured.requests,
            measured.failed,
            measured.retried,
            measured.fallback_percent,
            measured.recovery_seconds,
        )
        record_property(_reports.name, [*mark.args, *numbers])

    return put
