"""`fairlead eval` and `fairlead train`: what they print, and what they say when something is missing or wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead_cli.main import main

ROWS = (
    '{"text": "Sort a list in Python.", "label": "coding"}\n{"text": "hi there", "label": "chat", "source": "mine"}\n'
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"text": "x", "label": "chat"}\n{"text": 3, "label": "chat"}\n', "rows.jsonl:2: Expected `str`, got `int`"),
        ("", "rows.jsonl: has no rows"),
        ('{"text": "x"}', "rows.jsonl:1: Object missing required field `label`"),
    ],
)
def test_rows_that_are_wrong_are_named_and_nothing_is_printed(
    rows: Path, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows.write_text(text)
    assert main(["eval", "classifier", "--bundle", "default", str(rows)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("fairlead eval: ")
    assert expected in output.err


def test_a_folder_without_a_bundle_is_named(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "classifier", "--bundle", str(tmp_path), str(rows)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"fairlead eval: bundle {tmp_path}, manifest.json: ")


def test_one_object_of_figures_is_printed(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "classifier", "--bundle", "default", str(rows), str(rows)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["n"] == 4
    assert 0 <= found["ece"] <= 1
    assert found["per_class"]["coding"]["n"] == 2
    assert sum(found["confusion"]["chat"].values()) == 2
    assert found["per_source"]["mine"]["n"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "classifier", "x.jsonl"],
        ["eval", "classifier", "--bundle", "default"],
        ["eval", "classifier", "--bundle", "default", "--error-percent", "100", "x.jsonl"],
        ["train", "classifier", "--data", "x.jsonl"],
        ["train", "classifier", "--data", "x.jsonl", "--out", "y", "--epochs", "0"],
    ],
)
def test_words_that_cannot_be_obeyed_are_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2


def test_training_without_its_packages_names_them_and_says_how_to_get_them(rows: Path, tmp_path: Path) -> None:
    # In an interpreter that finds no PyTorch, be it installed or not.
    code = "import sys; sys.modules['torch'] = None;from fairlead_cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", "classifier", "--data", str(rows), "--out", str(tmp_path / "bundle")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "torch" in done.stderr
    assert "fairlead[train]" in done.stderr
    assert "scripts/environment train" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_evaluating_loads_nothing_that_only_training_needs(rows: Path) -> None:
    code = (
        "import sys; from fairlead_cli.main import main; assert main(sys.argv[1:]) == 0;"
        "print(sorted({'torch', 'sklearn', 'scipy', 'transformers', 'matplotlib'} & sys.modules.keys()))"
    )
    words = ["eval", "classifier", "--bundle", "default", str(rows)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
