"""Labelled prompts in files."""

import json
from pathlib import Path

import pytest

from fairlead_learning.train.rows import Row, RowError, read_rows, split_rows


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_rows_of_all_files_are_read_in_order_and_foreign_fields_are_left_alone(tmp_path: Path) -> None:
    first = written(
        tmp_path / "a",
        {"text": "x", "label": "math", "licence": "MIT", "source": "s"},
        "",
        {"text": "", "label": "chat"},
    )
    second = written(tmp_path / "b", {"text": "z", "label": "math", "split": "dev"})
    assert [row.text for row in read_rows([first, second])] == ["x", "", "z"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "a:2: "),
        ('{"text": "x"}', "missing required field `label`"),
        ('{"text": 3, "label": "x"}', "a:2: Expected `str`"),
        ('{"text": "x", "label": ""}', "a:2: the label is empty"),
        (json.dumps({"text": "x" * 200_001, "label": "y"}), "a:2: the text has over 200000 characters"),
        ("[]", "a:2: Expected `object`"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    file = written(tmp_path / "a", {"text": "x", "label": "math"}, line)
    with pytest.raises(RowError) as caught:
        read_rows([file])
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="No such file"):
        read_rows([tmp_path / "gone"])
    with pytest.raises(RowError, match="has no rows"):
        read_rows([written(tmp_path / "empty")])


def test_rows_of_the_dev_split_calibrate() -> None:
    rows = [Row("a", "x", split="train"), Row("b", "x", split="dev")]
    assert split_rows(rows) == ([rows[0]], [rows[1]])


def test_without_a_dev_split_a_tenth_calibrates_the_same_tenth_each_time() -> None:
    rows = [Row(f"text {number}", "x") for number in range(2000)]
    learn, calibration = split_rows(rows)
    assert 150 <= len(calibration) <= 250
    assert split_rows(reversed(rows))[1] == calibration[::-1]
    assert len(learn) + len(calibration) == 2000


def test_no_text_is_learned_from_and_calibrated_with() -> None:
    learn, calibration = split_rows([Row("same", "x", split="train"), Row("same", "y", split="dev"), Row("other", "x")])
    assert [row.text for row in learn] == ["other"]
    assert len(calibration) == 1
