"""Files replaced as one: all of them, or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fairlead_cli.files.edit.replace import ChangedMeanwhile, replace_files


def test_a_file_that_somebody_else_writes_meanwhile_stays_theirs(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"theirs")
    with pytest.raises(ChangedMeanwhile, match="two"):
        replace_files({str(one): (b"1", b"ours"), str(two): (b"2", b"ours")})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one": b"1", "two": b"theirs"}


def test_files_that_were_replaced_come_back_when_a_later_one_cannot_be(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_files({str(one): (b"1", b"ours"), str(two): (b"", b"ours")})
    assert one.read_bytes() == b"1"
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]
