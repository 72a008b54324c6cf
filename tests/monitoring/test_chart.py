"""What the chart makes of rules, dashboard and monitors: real helm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.programs import program
from tests.monitoring.rule_files import CHART, alerts, promtool

_ON = ("prometheusRule.enabled=true", "dashboard.enabled=true")


def _helm(*settings: str) -> subprocess.CompletedProcess[str]:
    sets = [part for each in settings for part in ("--set", f"monitoring.{each}")]
    command: list[str | Path] = [
        program("helm"),
        "template",
        "fairlead",
        CHART,
        "--namespace",
        "fairlead-system",
        *sets,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def _objects(*settings: str) -> list[dict[str, Any]]:
    done = _helm(*settings)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def _rule(*settings: str) -> dict[str, Any]:
    (found,) = (each for each in _objects(*_ON, *settings) if each["kind"] == "PrometheusRule")
    return found


def _alerts(rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["alert"]: each for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each}


def test_nothing_of_it_is_there_unless_asked_for() -> None:
    kinds = {each["kind"] for each in _objects()}
    assert not kinds & {"PrometheusRule", "ServiceMonitor", "PodMonitor"}


def test_the_rules_arrive_whole_and_well_formed(tmp_path: Path) -> None:
    rule = _rule()
    assert _alerts(rule).keys() == alerts().keys()
    assert {name: each["expr"] for name, each in _alerts(rule).items()} == {n: a["expr"] for n, a in alerts().items()}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_can_be_left_out_weighed_otherwise_and_labelled() -> None:
    found = _alerts(
        _rule(
            "prometheusRule.disabledAlerts[0]=FairleadHistoryLost",
            "prometheusRule.severities.FairleadDegraded=info",
            "prometheusRule.alertLabels.team=ai",
            "prometheusRule.runbookBaseUrl=https://wiki.example/runbooks/",
        )
    )
    assert alerts().keys() - found.keys() == {"FairleadHistoryLost"}
    assert found["FairleadDegraded"]["labels"] == {"severity": "info", "team": "ai"}
    assert found["FairleadStoreAway"]["labels"] == {"severity": "warning", "team": "ai"}
    for name, alert in found.items():
        assert alert["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{name}.md"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((*_ON, "prometheusRule.disabledAlerts[0]=FairleadNone"), "there is no alert FairleadNone; the alerts are"),
        (("serviceMonitor.enabled=true", "podMonitor.enabled=true"), "scraped, and counted, twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(settings: tuple[str, ...], said: str) -> None:
    done = _helm(*settings)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(("kind", "where"), [("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")])
def test_monitors_scrape_ports_that_are_there(kind: str, where: str) -> None:
    objects = _objects(f"{kind[0].lower()}{kind[1:]}.enabled=true")
    monitors = [each for each in objects if each["kind"] == kind]
    assert {each["metadata"]["name"] for each in monitors} == {"fairlead-operator", "fairlead-router"}
    for monitor in monitors:
        assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["fairlead-system"]}
        (scraped,) = monitor["spec"][where]
        assert scraped["path"] == "/metrics"
        assert _numbers(objects, kind, monitor["spec"]["selector"]["matchLabels"], scraped["port"]) in ({9090}, {8080})


def _numbers(objects: list[dict[str, Any]], kind: str, labels: dict[str, str], port: str) -> set[int]:
    """The ports of that name at the Services, or in the pods, that ``labels`` select."""
    found: set[int] = set()
    for each in objects:
        if kind == "PodMonitor" and each["kind"] == "Deployment":
            template = each["spec"]["template"]
            if labels.items() <= template["metadata"]["labels"].items():
                ports = template["spec"]["containers"][0]["ports"]
                found |= {one["containerPort"] for one in ports if one["name"] == port}
        if (
            kind == "ServiceMonitor"
            and each["kind"] == "Service"
            and labels.items() <= each["metadata"]["labels"].items()
        ):
            found |= {one["port"] for one in each["spec"]["ports"] if one["name"] == port}
    return found


def test_the_dashboard_arrives_where_the_sidecar_finds_it() -> None:
    objects = _objects(*_ON, "dashboard.namespace=grafana")
    (found,) = (
        each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"].endswith("-dashboard")
    )
    assert found["metadata"]["namespace"] == "grafana"
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["fairlead.json"]) == json.loads((CHART / "dashboards/fairlead.json").read_text())
