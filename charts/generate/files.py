"""Which files of the chart are generated, what they must contain, and whether they do."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import yaml

from charts.generate.crds import crd_template
from charts.generate.document import with_table
from charts.generate.schema import values_schema
from charts.generate.values import read_values

REPOSITORY = Path(__file__).resolve().parents[2]
_CHART = Path("charts/fairlead")
_DOCUMENT = Path("docs/chart.md")


def generated_files(root: Path = REPOSITORY) -> dict[Path, str]:
    """The text of every generated file by its path from the root of the repository. Raises ``BadValues``."""
    values = read_values(root / _CHART / "values.yaml")
    schema = json.dumps(values_schema(values), indent=2, ensure_ascii=False) + "\n"
    files = {_CHART / "values.schema.json": schema}
    for path in sorted((root / "crds").glob("*.yaml")):
        text = crd_template(path.read_text(encoding="utf-8"), f"crds/{path.name}")
        files[_CHART / "templates" / "crds" / path.name] = text
    if (root / _DOCUMENT).is_file():
        files[_DOCUMENT] = with_table((root / _DOCUMENT).read_text(encoding="utf-8"), values)
    return files


def stale_files(root: Path = REPOSITORY) -> list[Path]:
    """The files that are missing, differ from what they follow from, or follow from nothing any more."""
    wanted = generated_files(root)
    there = {path.relative_to(root) for path in (root / _CHART / "templates" / "crds").glob("*.yaml")}
    return [path for path, text in wanted.items() if _content(root / path) != text] + sorted(there - wanted.keys())


def write_files(root: Path = REPOSITORY) -> list[Path]:
    """Bring every generated file up to date; returns those that changed."""
    stale = stale_files(root)
    texts = generated_files(root)
    for path in stale:
        if path not in texts:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts[path], encoding="utf-8")
    return stale


def problems(root: Path = REPOSITORY) -> list[str]:
    """What a person has to mend: versions that disagree."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((root / _CHART / "Chart.yaml").read_text(encoding="utf-8"))
    found = []
    if chart["appVersion"] != project:
        found.append(f"{_CHART}/Chart.yaml: appVersion is {chart['appVersion']}, that of pyproject.toml {project}")
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", str(chart["version"])):
        found.append(f"{_CHART}/Chart.yaml: version {chart['version']} is no semantic version")
    return found


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
