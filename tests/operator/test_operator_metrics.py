"""What the operator counts, as Prometheus sees it."""

from __future__ import annotations

import pytest

from fairlead_operator.metrics import Metrics


@pytest.mark.parametrize("name", ["publications", "status_writes", "health_answers"])
def test_failures_are_counted_from_zero_so_that_the_first_one_is_seen(name: str) -> None:
    assert f'fairlead_operator_{name}_total{{result="failed"}} 0.0' in Metrics().render().decode()


def test_who_led_does_not_go_on_telling_of_routers_and_snapshot() -> None:
    metrics = Metrics()
    metrics.leader.set(1)
    metrics.routers.labels("unreachable").set(2)
    metrics.snapshot_bytes.set(650_000)
    metrics.stand_down()
    told = metrics.render().decode()
    assert "fairlead_operator_leader 0.0" in told
    assert "fairlead_operator_snapshot_bytes 0.0" in told
    assert "fairlead_operator_routers{" not in told
