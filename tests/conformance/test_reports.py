"""Reports: what is written can be read again, and several of them make one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead_conformance.case import MUST, SHOULD
from fairlead_conformance.cases import CASES
from fairlead_conformance.compare import BEGIN, END, main, markdown, replace_block
from fairlead_conformance.report import conforms, read_json, score, summary, table, write_json
from fairlead_conformance.run import Outcome, Verdict

GOOD = Verdict("plain", "S4", MUST, "A plain stream", Outcome.PASS, "7 events")
BAD = Verdict("cut", "S7", MUST, "A cut | stream", Outcome.FAIL, "looked <whole>")
ODD = Verdict("idle", "S10", MUST, "Silence", Outcome.NOT_APPLICABLE, "not declared")
SOFT = Verdict("exact", "S4", SHOULD, "Bytes", Outcome.FAIL, "written anew")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_json([GOOD, BAD, ODD], "a gateway", tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == ("a gateway", [GOOD, BAD, ODD])


def test_a_report_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"format": 0}')
    with pytest.raises(ValueError, match="of format 0"):
        read_json(tmp_path / "report.json")


@pytest.mark.parametrize(
    ("verdicts", "kept"),
    [([GOOD], True), ([GOOD, ODD, SOFT], True), ([GOOD, BAD], False), ([], True)],
    ids=["all pass", "only a should fails", "a must fails", "nothing judged"],
)
def test_only_a_failed_must_breaks_the_contract(verdicts: list[Verdict], kept: bool) -> None:
    assert conforms(verdicts) is kept


def test_what_does_not_apply_is_not_counted() -> None:
    assert score([GOOD, BAD, ODD, SOFT], MUST) == "1/2"
    assert summary([GOOD, BAD, ODD, SOFT]) == "must 1/2, should 0/1"


def test_the_table_has_a_line_for_each_case_with_its_evidence() -> None:
    first, second = table([GOOD, BAD]).splitlines()
    assert first.split() == ["pass", "must", "S4", "plain", "7", "events"]
    assert second.endswith("looked <whole>")


def test_gateways_stand_side_by_side_and_evidence_is_shown_where_a_case_failed() -> None:
    text = markdown({"ours": [GOOD, ODD], "theirs": [GOOD, BAD]})
    assert "| must, passed of those that apply | 1/1 | 1/2 |" in text
    assert "| S4 | A plain stream (`plain`) | must | ✓ | ✓ |" in text
    assert "| S7 | A cut \\| stream (`cut`) | must |  | **✗** |" in text
    assert "| S10 | Silence (`idle`) | must | – |  |" in text
    assert "What was seen of theirs:\n\n| case | |\n|---|---|\n| `cut` | looked &lt;whole> |\n" in text
    assert "What was seen of ours" not in text


def test_the_table_replaces_what_stands_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_json([GOOD], "a gateway", report)
    assert main([str(report), "--into", str(page)]) == 0
    once = page.read_text()
    assert once.startswith(f"before\n{BEGIN}\n\n| | a gateway |")
    assert once.endswith(f"\n{END}\nafter\n")
    assert "old" not in once
    assert main([str(report), "--into", str(page)]) == 0
    assert page.read_text() == once


def test_a_page_without_markers_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    page.write_text("prose")
    write_json([GOOD], "a gateway", report)
    assert main([str(report), "--into", str(page)]) == 2
    assert page.read_text() == "prose"
    assert "conformance:begin" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no <!-- conformance:begin -->"):
        replace_block("prose", "table")


def test_cases_have_names_of_their_own_and_cite_clauses_of_the_contract() -> None:
    names = [each.id for each in CASES]
    assert len(set(names)) == len(names)
    contract = (Path(__file__).parents[2] / "docs/streaming.md").read_text()
    assert {each.clause for each in CASES if f"**{each.clause}. " not in contract} == set()


def test_every_clause_of_the_contract_has_a_case() -> None:
    contract = (Path(__file__).parents[2] / "docs/streaming.md").read_text()
    stated = {line[2:].partition(".")[0] for line in contract.splitlines() if line.startswith("**S")}
    assert stated == {each.clause for each in CASES}
