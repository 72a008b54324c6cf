"""Tables of faults survive being written in parts, by runs that measured some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault_table import FaultTable

_TABLE = FaultTable("fault", Path("faults.md"), "some-faults", ("fault", "meanwhile", "recovery"))
_EMPTY = "# Faults\n\n<!-- some-faults:begin -->\n<!-- some-faults:end -->\n\nThe end.\n"


def test_a_row_that_is_measured_again_takes_the_place_of_the_old_one() -> None:
    first = _TABLE.with_rows(_EMPTY, [("b", "c", "1.2 s"), ("d", "e", "2.0 s")])
    again = _TABLE.with_rows(first, [("a", "x", "0.1 s"), ("b", "c", "3.0 s")])
    assert _TABLE.rows(again) == [("b", "c", "3.0 s"), ("d", "e", "2.0 s"), ("a", "x", "0.1 s")]
    assert again.count("| --- | --- | --- |\n") == 1
    assert again.startswith("# Faults\n\n")
    assert again.endswith("\n\nThe end.\n")


def test_a_document_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="some-faults:begin"):
        _TABLE.with_rows("# Faults\n", [])
