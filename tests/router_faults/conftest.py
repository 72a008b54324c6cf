"""Writes what was measured: ``FAIRLEAD_WRITE_DOCS=1 pytest tests/router_faults`` puts it into ``docs/reliability.md``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.router_faults.load import Measured
from tests.router_faults.table import FAULTS


def pytest_configure(config: pytest.Config) -> None:
    """What is measured goes into the table."""
    FAULTS.join(config)


@pytest.fixture
def record(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[Measured], None]:
    """Puts what a test measured beside the words of its mark."""

    def put(measured: Measured) -> None:
        figures = (
            *(str(measured.requests), str(measured.failed), str(measured.retried)),
            *(f"{measured.fallback_percent} %", f"{measured.recovery_seconds:.1f} s"),
        )
        record_property(*FAULTS.property_of(request, *figures))

    return put
