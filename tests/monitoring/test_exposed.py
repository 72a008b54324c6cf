"""Rules and dashboard against what real routers and the operator expose: names, labels, and the objective on real numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from devcluster.redis_server import RedisServer
from fairlead_operator.document import metric_rows
from fairlead_operator.metrics import Metrics as OperatorMetrics
from fairlead_router.record.metric_table import Metric, MetricType
from tests.monitoring.promql import TARGET_LABELS, grouped_labels, made_labels, matched_labels, metrics
from tests.monitoring.rule_files import CHART, expressions, firing, recorded, unit_tests
from tests.router_e2e.fake_upstream import CLOSE, FakeUpstream
from tests.router_e2e.harness import Harness, serving
from tests.router_e2e.otlp_sink import collector
from tests.router_e2e.scripts import fails, streams, word
from tests.router_e2e.world import endpoint, policy, provider

Labels = dict[str, set[str]]


def _declared() -> Labels:
    """Series of routers and operator by the tables that the docs are made of, with their labels."""
    found: Labels = {}
    for spec in (metric.value for metric in Metric):
        labels = set(spec.labels)
        if spec.type is MetricType.HISTOGRAM:
            found |= {f"{spec.name}_{part}": labels for part in ("count", "sum")}
            found[f"{spec.name}_bucket"] = labels | {"le"}
        else:
            found[spec.exposed_name] = labels
    for name, kind, labels_cell, _ in metric_rows():
        plain, labels = name.strip("`"), {each.strip(" `") for each in labels_cell.split(",") if each.strip()}
        if kind == "histogram":
            found |= {f"{plain}_{part}": labels for part in ("count", "sum")}
            found[f"{plain}_bucket"] = labels | {"le"}
        else:
            found[plain] = labels
    return found


def _dashboard_expressions() -> list[tuple[str, str]]:
    panels = json.loads((CHART / "dashboards/fairlead.json").read_text())["panels"]
    return [(panel["title"], each["expr"]) for panel in panels for each in panel.get("targets", [])]


_DECLARED = _declared()
_ALL = [*expressions(), *_dashboard_expressions()]


def _labels_of(name: str) -> set[str]:
    if name in recorded():
        expression = recorded()[name]
        inner = metrics(expression)
        return grouped_labels(expression) or set().union(*(_labels_of(each) for each in inner))
    return _DECLARED[name]


@pytest.mark.parametrize(("where", "expression"), _ALL, ids=[each[0] for each in _ALL])
def test_every_metric_and_label_of_an_expression_exists(where: str, expression: str) -> None:
    names = metrics(expression)
    assert names, where
    assert names <= set(_DECLARED) | set(recorded())
    for name, labels in matched_labels(expression).items():
        assert labels <= _labels_of(name) | TARGET_LABELS, f"{where}: {name}"
    known = set().union(*(_labels_of(name) for name in names)) | TARGET_LABELS | made_labels(expression)
    assert grouped_labels(expression) <= known, where


async def _exposed(router: Harness) -> tuple[set[str], Labels]:
    text = (await router.request("GET", "/metrics", admin=True)).body.decode()
    families = list(text_string_to_metric_families(text))
    names = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    return names, {sample.name: set(sample.labels) for family in families for sample in family.samples}


async def test_a_real_router_exposes_what_is_declared(upstream: FakeUpstream, redis_server: RedisServer) -> None:
    async with (
        collector() as traces,
        serving(
            provider(upstream.url),
            policy("acme/small"),
            redis_url=redis_server.url,
            otlp_traces_endpoint=traces.traces_endpoint,
        ) as router,
    ):
        assert (await router.chat()).status == 200
        upstream.plays(fails(500))
        assert (await router.chat()).status == 502
        names, samples = await _exposed(router)
    assert names >= {metric.value.exposed_name for metric in Metric}
    assert len(samples) > 40
    for name, labels in samples.items():
        assert labels == _DECLARED[name], name


def test_the_operator_exposes_what_is_declared() -> None:
    text = OperatorMetrics().render().decode()
    names = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert names >= {row[0].strip("`") for row in metric_rows()}


def test_no_label_of_a_metric_is_hidden_by_one_of_its_target() -> None:
    """What the Prometheus operator sets on targets; ``endpoint`` too, which the monitors of the chart drop."""
    of_targets = {"job", "instance", "namespace", "pod", "container", "service", "node"}
    assert not of_targets & set().union(*_DECLARED.values())
    monitors = (CHART / "templates/monitoring/monitors.yaml").read_text()
    assert "{action: labeldrop, regex: endpoint}" in monitors


def _replay(before: dict[Any, float], after: dict[Any, float]) -> list[dict[str, str]]:
    """What was scraped, as an hour: for half of it as it was before, then growing from there every minute."""
    series = []
    for (name, labels), value in after.items():
        written = ",".join(
            f"{key}={json.dumps(text)}" for key, text in (*labels, ("namespace", "ns"), ("instance", "r1"))
        )
        first, grows = before.get((name, labels), 0.0), name.endswith(("_total", "_count", "_sum", "_bucket"))
        values = f"{first}+{max(0.0, value - first)}x60" if grows else f"{value}x60"
        series.append({"series": f"{name}{{{written}}}", "values": values})
    return series


async def _half_an_hour_of(router: Harness, requests: int, **fields: Any) -> list[dict[str, str]]:
    before = await router.metrics()
    for _ in range(requests):
        await router.chat(**fields)
    return _replay(before, await router.metrics())


async def test_a_healthy_router_raises_no_alert(upstream: FakeUpstream, tmp_path: Path) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        series = await _half_an_hour_of(router, 20)
    series.append({"series": 'fairlead_operator_leader{namespace="ns",instance="o1"}', "values": "1x60"})
    demand = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "50m", "exp_samples": []}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [demand]}
    done = unit_tests([test], tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("how", ["answers with 500", "cuts its streams"])
async def test_a_broken_provider_burns_the_error_budget(upstream: FakeUpstream, tmp_path: Path, how: str) -> None:
    cut = [*streams(word("hel"), ends=False), CLOSE]
    async with serving(provider([endpoint(upstream.url)]), policy("acme/small")) as router:
        upstream.default = cut if how == "cuts its streams" else fails(500)
        series = await _half_an_hour_of(router, 10, stream=how == "cuts its streams")
        status = "200" if how == "cuts its streams" else "502"
        assert await router.metric("model_router_requests_total", model="team/acme/small", status=status) == 10
    demands = [
        firing("FairleadErrorBudgetBurnsFast", "50m", 'namespace="ns"'),
        firing("FairleadProviderErrors", "50m", 'namespace="ns",provider="team/acme"'),
    ]
    done = unit_tests(
        [{"interval": "1m", "input_series": series, "promql_expr_test": demands}], tmp_path / "tests.yaml"
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_router_without_configuration_says_so(tmp_path: Path) -> None:
    async with serving() as router:
        series = _replay({}, await router.metrics())
    demand = firing("FairleadRouterWithoutConfiguration", "50m", 'namespace="ns",instance="r1"')
    done = unit_tests(
        [{"interval": "1m", "input_series": series, "promql_expr_test": [demand]}], tmp_path / "tests.yaml"
    )
    assert done.returncode == 0, done.stdout + done.stderr
