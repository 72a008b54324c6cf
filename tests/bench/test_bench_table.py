"""The tables of the document on performance."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gateways.cases import CASES, Measured
from bench.gateways.goals import judge
from bench.gateways.ratios import DIRECT
from bench.gateways.table import BEGIN, DOCUMENT, END, Taken, markdown, write
from bench.report import Report


def test_what_stands_around_the_marks_stays(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\n## After\n")
    write("new", document)
    write("newer", document)
    assert document.read_text() == f"# Before\n\n{BEGIN}\nnewer\n{END}\n\n## After\n"


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_a_document_without_its_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    document = tmp_path / "performance.md"
    document.write_text(text)
    with pytest.raises(ValueError, match=r"performance\.md needs one line"):
        write("new", document)
    assert document.read_text() == text


def test_the_document_has_its_marks() -> None:
    text = DOCUMENT.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)


def test_all_rows_have_as_many_cells_as_their_heads() -> None:
    measured = Measured(
        answers=9, wrong=0, per_second=1234.5, p50_ms=1.0, p99_ms=2.0, cpu_us=100.0, first_p50_ms=float("inf")
    )
    names = [DIRECT, "fairlead", "bare-aiohttp"]
    rounds = {(case, name): [measured] * 2 for case in CASES for name in names}
    report = Report("title")
    judge(report, rounds, names)
    taken = {name: Taken(name, 10.0, 9, 0.5) for name in names}
    paragraphs = markdown(rounds, names, taken, report, "How.").split("\n\n")
    how, servers, goals = (paragraph.split("\n") for paragraph in paragraphs)
    assert how[0].startswith("How. ")
    assert {row.count("|") for row in servers} == {12}
    assert {row.count("|") for row in goals} == {5}
    assert [row.split(" | ")[0] for row in servers[2:]] == ["| direct", "| fairlead", "| bare-aiohttp"]
