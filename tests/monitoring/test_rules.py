"""Every rule is well formed, and every alert fires when it should and stays silent when it should not: real promtool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.alert_cases import CASES, Case, Series, attempts, requests, served
from tests.monitoring.rule_files import RULE_FILES, alerts, firing, promtool, unit_tests

_BY_NAME = {case.alert: case for case in CASES}


def _test(name: str, series: Series, *demands: dict[str, Any]) -> dict[str, Any]:
    given = [{"series": key, "values": values} for key, values in series.items()]
    return {"name": name, "interval": "1m", "input_series": given, "promql_expr_test": list(demands)}


def test_promtool_finds_nothing_wrong_with_any_rule() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_cases_and_every_case_its_alert() -> None:
    assert sorted(_BY_NAME) == sorted(alerts())
    assert len(_BY_NAME) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_not_before(case: Case, tmp_path: Path) -> None:
    done = unit_tests(
        [
            _test("fires", case.loud, firing(case.alert, case.after, case.fires)),
            _test("silent", case.quiet, firing(case.alert, case.after)),
            _test("nothing is scraped", {}, firing(case.alert, case.after)),
        ],
        tmp_path / "tests.yaml",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "rule"), alerts().items(), ids=lambda each: each if isinstance(each, str) else "")
def test_an_alert_says_what_how_bad_and_where_to_read_on(name: str, rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert used <= set(re.findall(r"(\w+)=", _BY_NAME[name].fires)), "a label that the alert does not have"
    assert "namespace" in used, "which installation?"


FAILURES: list[tuple[str, Series, float]] = [
    ("answers", requests(200, "0+60x10"), 0),
    ("a provider's failure passed on", requests(200, "0+45x10") | requests(502, "0+15x10"), 0.25),
    ("faults and want of room", requests(200, "0+30x10") | requests(500, "0+15x10") | requests(503, "0+15x10"), 0.5),
    ("wrong requests count for nothing", requests(200, "0+60x10") | requests(400, "0+60x10"), 0),
    ("no money, or a rate limit", requests(200, "0+60x10") | requests(429, "0+60x10"), 0),
    ("clients that hang up", requests(200, "0+60x10") | requests(499, "0+60x10"), 0),
    ("a stream that was cut", requests(200, "0+60x10") | served("upstream_stream_interrupted", "0+15x10"), 0.25),
    ("a stream that a stopping router cut", requests(200, "0+60x10") | served("router_stopping", "0+15x10"), 0.25),
    ("what a fallback saved", requests(200, "0+60x10") | attempts("Failed", "0+60x10") | served("", "0+60x10"), 0),
    ("5xx are not counted twice", requests(502, "0+60x10") | served("upstream_error", "0+60x10"), 1),
]


@pytest.mark.parametrize(("series", "ratio"), [each[1:] for each in FAILURES], ids=[each[0] for each in FAILURES])
def test_what_counts_as_a_failure_against_the_objective(series: Series, ratio: float, tmp_path: Path) -> None:
    demands = []
    for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d"):
        name = f"namespace:fairlead_failures:ratio_rate{window}"
        sample = {"labels": f'{name}{{namespace="ns"}}', "value": ratio}
        demands.append({"expr": name, "eval_time": "10m", "exp_samples": [sample]})
    done = unit_tests([_test("windows", series, *demands)], tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_handful_of_failures_is_no_reason_to_wake_anybody(tmp_path: Path) -> None:
    quiet = requests(200, "0x10 1x50") | requests(502, "0x10 2x50")
    done = unit_tests([_test("few", quiet, firing("FairleadErrorBudgetBurnsFast", "12m"))], tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_installations_are_told_apart_by_their_namespace(tmp_path: Path) -> None:
    def elsewhere(series: Series) -> dict[str, str]:
        return {key.replace('namespace="ns"', 'namespace="else"'): values for key, values in series.items()}

    case = _BY_NAME["FairleadErrorBudgetBurnsFast"]
    demand = firing(case.alert, case.after, 'namespace="ns"')
    done = unit_tests([_test("two", {**case.loud, **elsewhere(case.quiet)}, demand)], tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
