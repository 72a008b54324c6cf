"""The table of faults survives being written in parts, by runs that measured some of them."""

from __future__ import annotations

from tests.e2e.fairlead.table import Row, read_rows, with_rows

_EMPTY = "before\n<!-- cluster-faults:begin -->\n<!-- cluster-faults:end -->\nafter\n"


def row(fault: str, recovery: str) -> Row:
    return Row(fault, "Something.", "10", "0", "0", "0 %", "0.1 s", recovery)


def test_rows_of_earlier_runs_stay_beside_new_ones_in_order() -> None:
    first = with_rows(_EMPTY, [row("b", "1 s"), row("c", "1 s")], ["a", "b", "c"])
    second = with_rows(first, [row("a", "2 s"), row("c", "2 s")], ["a", "b", "c"])
    assert read_rows(second) == [row("a", "2 s"), row("b", "1 s"), row("c", "2 s")]
    assert second.count("\n| ---") == 1
    assert second.startswith("before\n")
    assert second.endswith("after\n")


def test_a_fault_that_no_test_measures_any_more_is_dropped() -> None:
    assert read_rows(with_rows(with_rows(_EMPTY, [row("a", "1 s")], ["a"]), [], ["b"])) == []
