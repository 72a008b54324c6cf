"""Every gauge of a router has been thought about: how several workers' values become one."""

from __future__ import annotations

import pytest

from fairlead_cli.workers.merge_metrics import GAUGES
from fairlead_router.record.metric_table import Metric, MetricType


@pytest.mark.parametrize(
    "name", [metric.value.name for metric in Metric if metric.value.type is MetricType.GAUGE], ids=str
)
def test_a_gauge_says_how_it_is_merged(name: str) -> None:
    assert name in GAUGES
