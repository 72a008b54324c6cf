from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

from fairlead_learning.train.rule_files import write_rule_file

DEFAULT = resources.files("fairlead_learning.rules") / "default"
FILES = sorted(file.name for file in DEFAULT.iterdir() if file.name.endswith(".json"))


@pytest.mark.parametrize("name", FILES)
def test_writing_a_default_file_anew_changes_nothing(name: str, tmp_path: Path) -> None:
    before = (DEFAULT / name).read_text(encoding="utf-8")
    write_rule_file(tmp_path / name, json.loads(before))
    assert (tmp_path / name).read_text(encoding="utf-8") == before


def test_what_is_written_is_what_was_given_with_one_key_a_line(tmp_path: Path) -> None:
    content = {
        "rules": [
            {
                "name": "a",
                "score": 0.5,
                "phrases": [f'a b - {number} \\ "é"' for number in range(60)],
                "where": "start",
            },
            {"name": "b", "score": 0.25, "surface": {"words": [1, None]}},
        ],
        "leads": [],
    }
    write_rule_file(tmp_path / "r.json", content)
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert [line.strip() for line in text.splitlines() if '"score"' in line] == ['"score": 0.5,', '"score": 0.25,']
    assert max(map(len, text.splitlines())) <= 128
