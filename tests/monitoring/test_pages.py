"""Runbook pages and dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.rule_files import CHART, ROOT, alerts, promtool

PAGES = ROOT / "docs" / "runbooks"
INDEX = (PAGES / "README.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((CHART / "dashboards/fairlead.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_VARIABLES = {"$__rate_interval": "5m", "$namespace": "fairlead-system"}


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_a_page_says_what_whoever_is_woken_needs(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    headings = ["What it means", "What users notice", "How to check", "How to mend", "False alarms"]
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == headings
    assert f"Severity `{alerts()[name]['labels']['severity']}`" in text
    assert re.search(r"```sh\n.*(kubectl|curl) ", text, re.DOTALL)
    assert f"| [{name}]({name}.md) | {alerts()[name]['labels']['severity']} |" in INDEX


def test_commands_wait_until_a_forwarded_port_is_open() -> None:
    lines = [line for path in PAGES.glob("*.md") for line in path.read_text().splitlines() if "port-forward" in line]
    assert lines
    assert [line for line in lines if "& sleep 2" not in line] == []


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", path.read_text()):
        assert (path.parent / target).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (path.parent / target).read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_a_unit_and_reads_from_the_chosen_source(panel: dict[str, Any]) -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert all(each["datasource"] == source for each in (panel, *panel["targets"]))
    assert all('namespace="$namespace"' in target["expr"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_have_ids_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells, panel["title"]
        cells |= own
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "namespace"]


def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = []
    for number, target in enumerate(target for panel in PANELS for target in panel["targets"]):
        expression = target["expr"]
        for variable, value in _VARIABLES.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression, target
        rules.append({"record": f"panel:{number}", "expr": expression})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
