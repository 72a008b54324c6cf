"""What is generated is up to date, the same every time, and says when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fairlead_crds.generate import generated_files, stale_files, write_files
from fairlead_crds.generate.__main__ import main
from fairlead_crds.kinds import KINDS
from fairlead_crds.not_implemented import GAPS


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert stale_files() == []


def test_the_command_agrees_that_nothing_is_stale() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "fairlead_crds.generate", "--check"], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def test_files_are_written_once_and_then_left_alone(tmp_path: Path) -> None:
    assert stale_files(tmp_path) == list(generated_files())
    assert write_files(tmp_path) == list(generated_files())
    assert write_files(tmp_path) == []
    assert stale_files(tmp_path) == []


def test_check_names_the_stale_files_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_files(tmp_path)
    stale = tmp_path / "crds/abtests.fairlead.dev.yaml"
    stale.write_text("old", encoding="utf-8")
    monkeypatch.setattr("fairlead_crds.generate.__main__.stale_files", lambda: stale_files(tmp_path))
    assert main(["--check"]) == 1
    assert "crds/abtests.fairlead.dev.yaml is stale" in capsys.readouterr().err
    assert stale.read_text(encoding="utf-8") == "old"


def test_generating_twice_gives_the_same_bytes() -> None:
    assert generated_files() == generated_files()


def test_there_is_one_definition_per_kind_and_one_reference() -> None:
    assert [str(path) for path in generated_files()] == [
        "crds/modelproviders.fairlead.dev.yaml",
        "crds/routingpolicies.fairlead.dev.yaml",
        "crds/abtests.fairlead.dev.yaml",
        "crds/workspacebudgets.fairlead.dev.yaml",
        "docs/api.md",
    ]


def test_the_key_on_is_quoted_wherever_yaml_is_written() -> None:
    text = generated_files()[Path("crds/routingpolicies.fairlead.dev.yaml")]
    (version,) = yaml.safe_load(text)["spec"]["versions"]
    fallback = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["fallbacks"]["items"]
    assert list(fallback["properties"]) == ["on", "modelRef"]
    assert fallback["required"] == ["on", "modelRef"]


def test_the_reference_explains_every_kind_and_marks_every_gap() -> None:
    page = generated_files()[Path("docs/api.md")]
    for kind in KINDS:
        assert f"\n## {kind}\n" in page
    for gap in GAPS:
        if gap.path == "spec":
            continue
        section = page.partition(f"\n## {gap.kind}\n")[2].partition("\n## ")[0]
        (row,) = (line for line in section.splitlines() if line.startswith(f"| `{gap.path.removesuffix('[]')}` |"))
        assert "**Not implemented yet" in row
    assert "**Not implemented yet**: delete the object" in page


def test_the_reference_has_no_trace_of_how_it_is_computed() -> None:
    page = generated_files()[Path("docs/api.md")]
    assert "None" not in page.replace("`None` or `Promote`", "").replace("`None` |", "").replace(
        "None only reports", ""
    )
    assert "pydantic" not in page.lower()
