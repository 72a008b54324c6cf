"""The documentation of metrics is what the router exposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead_router.record.document import documented, main
from fairlead_router.record.metric_table import Metric, MetricType

DOCUMENT = Path(__file__).parents[3] / "docs" / "observability.md"
REQUIRED = {
    "model_router_requests_total",
    "model_router_request_duration_seconds",
    "model_router_model_health_score",
    "model_router_routing_rule_matches_total",
    "gen_ai_client_token_usage",
    "gen_ai_client_operation_duration_seconds",
    "gen_ai_server_request_duration_seconds",
    "gen_ai_server_time_to_first_token_seconds",
    "gen_ai_server_time_per_output_token_seconds",
}


def test_the_document_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(DOCUMENT), "--check"]) == 0, capsys.readouterr().err


def test_a_table_that_is_stale_is_noticed_and_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- metrics:begin -->\nold\n<!-- metrics:end -->\nafter\n")
    assert main([str(file), "--check"]) == 1
    assert main([str(file)]) == 0
    assert main([str(file), "--check"]) == 0
    assert file.read_text().startswith("before\n")
    assert "model_router_requests_total" in file.read_text()


def test_a_document_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        documented("nothing")


def test_the_names_that_others_rely_on_are_there() -> None:
    assert {metric.value.exposed_name for metric in Metric} >= REQUIRED


@pytest.mark.parametrize("metric", Metric, ids=lambda metric: metric.name)
def test_every_metric_keeps_to_prometheus_conventions(metric: Metric) -> None:
    spec = metric.value
    assert spec.help.endswith("."), spec.name
    assert not spec.name.endswith("_total"), "the suffix is added when it is exposed"
    assert all(label.isidentifier() and label == label.lower() for label in spec.labels)
    assert bool(spec.buckets) is (spec.type is MetricType.HISTOGRAM)
    assert list(spec.buckets) == sorted(set(spec.buckets))
