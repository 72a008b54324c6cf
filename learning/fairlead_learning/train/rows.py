"""Labelled prompts as they lie in files: JSON lines with ``text`` and ``label``, and whatever else their source gave them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

CALIBRATION_SPLIT = "dev"
"""Rows of this split fit nothing but how far the model is believed."""
CALIBRATION_PERCENT = 10
"""Of the rows, chosen by the digest of their text, where no row is of that split."""
_LARGEST_TEXT = 200_000


class RowError(ValueError):
    """A file that cannot be learned from; names file and line."""


class Row(msgspec.Struct, frozen=True):
    """One labelled prompt. Fields that a source has beyond these are left alone."""

    text: str
    label: str
    source: str = ""
    split: str = ""


def read_rows(files: Sequence[Path]) -> list[Row]:
    """All rows of all files, in order. Raises :class:`RowError`."""
    decoder = msgspec.json.Decoder(Row)
    rows: list[Row] = []
    for file in files:
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise RowError(f"{file}: cannot be read: {error.strerror}") from error
        before = len(rows)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RowError(f'{file}:{number}: {error}; each line takes {{"text": ..., "label": ...}}') from error
            if not row.label:
                raise RowError(f"{file}:{number}: the label is empty; name a category")
            if len(row.text) > _LARGEST_TEXT:
                raise RowError(f"{file}:{number}: the text has over {_LARGEST_TEXT} characters; leave the row out")
            rows.append(row)
        if len(rows) == before:
            raise RowError(f"{file}: has no rows; give JSON lines with text and label")
    return rows


def split_rows(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Rows to learn from, and rows to calibrate with. No text is in both."""
    given = list(rows)
    if any(row.split == CALIBRATION_SPLIT for row in given):
        calibration = [row for row in given if row.split == CALIBRATION_SPLIT]
    else:
        calibration = [row for row in given if _bucket(row.text) < CALIBRATION_PERCENT]
    texts = {row.text for row in calibration}
    return [row for row in given if row.text not in texts], calibration


def digest_of(file: Path) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _bucket(text: str) -> int:
    """0 to 99, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big") % 100
