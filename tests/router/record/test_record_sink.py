"""The newest records in memory, and every record to the lines."""

from __future__ import annotations

import json

import pytest

from fairlead_contract.decision import encode_record
from fairlead_router.record.sink import RecordSink
from tests.router.builders import a_record


class Lines:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)


def filled(capacity: int, count: int, lines: Lines | None = None) -> RecordSink:
    sink = RecordSink(capacity=capacity, lines=lines)
    for number in range(count):
        sink.put(a_record(id=f"d-{number}"))
    return sink


@pytest.mark.parametrize(
    ("capacity", "count", "kept"),
    [(3, 2, ["d-1", "d-0"]), (3, 3, ["d-2", "d-1", "d-0"]), (3, 5, ["d-4", "d-3", "d-2"]), (0, 5, [])],
)
def test_the_newest_records_are_kept_up_to_the_capacity(capacity: int, count: int, kept: list[str]) -> None:
    sink = filled(capacity, count)
    assert sink.latest(100) == kept
    assert [sink.get(f"d-{number}") is not None for number in range(count)] == [
        f"d-{number}" in kept for number in range(count)
    ]


@pytest.mark.parametrize(("count", "ids"), [(0, []), (1, ["d-2"]), (2, ["d-2", "d-1"]), (9, ["d-2", "d-1", "d-0"])])
def test_so_many_of_the_newest_are_listed_newest_first(count: int, ids: list[str]) -> None:
    assert filled(10, 3).latest(count) == ids


def test_a_record_comes_back_equal() -> None:
    sink, record = RecordSink(capacity=1), a_record()
    sink.put(record)
    assert sink.get("d-1") == record
    assert sink.get("d-2") is None


def test_every_record_is_passed_on_as_one_line_of_json_kept_or_not() -> None:
    lines = Lines()
    filled(0, 3, lines)
    assert [json.loads(line)["id"] for line in lines.lines] == ["d-0", "d-1", "d-2"]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines.lines)
    assert lines.lines[0] == encode_record(a_record(id="d-0")) + b"\n"
