"""What is generated of the chart is up to date, and mistakes in the comments of the values are told with their line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from charts.generate import problems, stale_files, write_files
from charts.generate.__main__ import main
from charts.generate.crds import crd_template
from charts.generate.files import REPOSITORY
from charts.generate.schema import values_schema
from charts.generate.values import BadValues, read_values
from fairlead_router.settings import Settings
from tests.chart.helm import Helm


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert stale_files() == []
    assert problems() == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the repository that the generator reads and writes."""
    for part in ("charts/fairlead", "crds"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    (tmp_path / "docs").mkdir()
    for part in ("docs/chart.md", "pyproject.toml"):
        shutil.copy(REPOSITORY / part, tmp_path / part)
    return tmp_path


@pytest.mark.parametrize(
    ("edited", "old", "new", "stale"),
    [
        (
            "charts/fairlead/values.yaml",
            "replicas: 1",
            "replicas: 1\n  # New.\n  further: 1",
            {"charts/fairlead/values.schema.json", "docs/chart.md"},
        ),
        (
            "crds/abtests.fairlead.dev.yaml",
            "kind: ABTest\n",
            "kind: ABCTest\n",
            {"charts/fairlead/templates/crds/abtests.fairlead.dev.yaml"},
        ),
        ("docs/chart.md", "| integer |", "| text |", {"docs/chart.md"}),
    ],
)
def test_an_edit_makes_stale_what_follows_from_it_until_it_is_written_anew(
    copy: Path, edited: str, old: str, new: str, stale: set[str]
) -> None:
    text = (copy / edited).read_text()
    assert old in text
    (copy / edited).write_text(text.replace(old, new, 1))
    assert {str(path) for path in stale_files(copy)} == stale
    write_files(copy)
    assert stale_files(copy) == []


def test_a_template_of_a_crd_that_is_gone_goes_too(copy: Path) -> None:
    (copy / "crds/abtests.fairlead.dev.yaml").unlink()
    write_files(copy)
    assert not (copy / "charts/fairlead/templates/crds/abtests.fairlead.dev.yaml").exists()


def test_another_version_than_the_project_s_is_told(copy: Path) -> None:
    chart = copy / "charts/fairlead/Chart.yaml"
    chart.write_text(chart.read_text().replace("appVersion: 0.1.0", "appVersion: 0.0.9"))
    assert problems(copy) == ["charts/fairlead/Chart.yaml: appVersion is 0.0.9, that of pyproject.toml 0.1.0"]


def test_the_command_is_content_with_what_is_there() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", "values.yaml:1: a: say in a comment above it what it means"),
        ("# A map.\na:\n  b: 1\n", "values.yaml:3: a.b: say in a comment"),
        ("# Empty.\na: {}\n", "values.yaml:2: a: nothing says what it takes"),
        ("# Unknown.\na: null\n", "values.yaml:2: a: nothing says what it takes"),
        ("# A list.\na: [1]\n", "values.yaml:2: a: nothing says what its items are"),
        ("# Misspelt.\n# @ is: [\na: {}\n", "values.yaml:3: a: `# @ is: [` is no YAML"),
        ("# Unknown.\n# @ is: nonsense\na: {}\n", "values.yaml:3: a: there is no shape 'nonsense'"),
        ("# @ is: strings\n# Late.\na: {}\n", "directly above the key"),
        ("- a\n", "there must be a map at the top"),
    ],
)
def test_a_mistake_in_the_values_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text)
    with pytest.raises(BadValues) as told:
        values_schema(read_values(path))
    assert said in str(told.value)


def test_every_setting_of_the_router_is_a_value_or_the_chart_s_own_affair() -> None:
    schema = json.loads((REPOSITORY / "charts/fairlead/values.schema.json").read_text())
    settings = schema["properties"]["router"]["properties"]["settings"]["properties"]
    assert "maxBodyBytes" in settings
    assert not {"redisUrl", "port", "drawKey", "replicas"} & settings.keys()
    assert len(settings) > len(Settings.__dataclass_fields__) / 2


async def test_braces_in_a_crd_are_no_template(helm: Helm, tmp_path: Path) -> None:
    crd = "# Generated.\nkind: X\nmetadata:\n  name: xs.example\nspec:\n  description: 'as {{ .This }}'\n"
    chart = tmp_path / "braces"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: braces\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("crds: {enabled: true, keep: true}\ncommonAnnotations: {}\n")
    (chart / "templates" / "_labels.tpl").write_text('{{- define "fairlead.labels" -}}a: b{{- end -}}')
    (chart / "templates" / "crd.yaml").write_text(crd_template(crd, "crds/x.yaml"))
    (made,) = yaml.safe_load_all(await helm.run("template", "x", chart))
    assert made["spec"] == {"description": "as {{ .This }}"}
    assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
