"""Writes what was measured: ``FAIRLEAD_WRITE_DOCS=1 pytest tests/router_faults`` puts it into ``docs/reliability.md``."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.router_faults.load import Measured
from tests.router_faults.table import DOCUMENT, Row, read_rows, with_rows

_PROPERTY = "router_fault"
_measured: dict[str, Row] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line(
        "markers", "router_fault(name, meanwhile): a fault of a provider, for the table in docs/reliability.md"
    )


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
        record_property(_PROPERTY, [*mark.args, *numbers])

    return put
