"""The rule files of the chart, and real promtool."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from devcluster.programs import program

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "fairlead"
RULE_FILES = sorted((CHART / "rules").glob("*.yaml"))


@cache
def _promtool() -> Path:
    return program("promtool")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it to its end; whoever calls looks at the status."""
    command = [_promtool(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """All rules, in the order of their files."""
    documents = (yaml.safe_load(path.read_text()) for path in RULE_FILES)
    return tuple(rule for document in documents for group in document["groups"] for rule in group["rules"])


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, str]:
    """The expressions of recording rules by the names of their series."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def unit_tests(tests: list[dict[str, Any]], path: Path) -> subprocess.CompletedProcess[str]:
    """Run ``tests``, in promtool's form, over all rule files; ``path`` is where they are written."""
    document = {"rule_files": [str(file) for file in RULE_FILES], "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return promtool("test", "rules", path)


def firing(alert: str, at: str, *labels: str) -> dict[str, Any]:
    """A unit test's demand that ``alert`` fires with exactly these sets of labels, written as in a selector; none: silent."""
    own = f'alertname="{alert}",alertstate="firing",severity="{alerts()[alert]["labels"]["severity"]}"'
    samples = [{"labels": f"ALERTS{{{own},{each}}}", "value": 1} for each in labels]
    expression = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    return {"expr": expression, "eval_time": at, "exp_samples": samples}


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every rule."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
