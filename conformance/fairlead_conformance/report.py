"""Verdicts as a table for people and as JSON for the rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fairlead_conformance.case import Severity
from fairlead_conformance.run import Outcome, Verdict

FORMAT = 1
_EVIDENCE_WIDTH = 96


def table(verdicts: Sequence[Verdict]) -> str:
    """One line for each verdict."""
    width = max((len(each.id) for each in verdicts), default=0)
    return "\n".join(
        f"{each.outcome.value:<14}  {each.severity.value:<6}  {each.clause:<4} {each.id:<{width}}  "
        f"{each.evidence:.{_EVIDENCE_WIDTH}}"
        for each in verdicts
    )


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many of how many."""
    return ", ".join(f"{severity.value} {score(verdicts, severity)}" for severity in Severity)


def score(verdicts: Sequence[Verdict], severity: Severity) -> str:
    """``passed/judged`` of one severity."""
    found = Counter(each.outcome for each in verdicts if each.severity is severity)
    return f"{found[Outcome.PASS]}/{found[Outcome.PASS] + found[Outcome.FAIL]}"


def write_json(verdicts: Sequence[Verdict], gateway: str, path: Path) -> None:
    """The report of one gateway."""
    cases = [
        {
            "id": each.id,
            "clause": each.clause,
            "severity": each.severity.value,
            "title": each.title,
            "verdict": each.outcome.value,
            "evidence": each.evidence,
        }
        for each in verdicts
    ]
    report = {"format": FORMAT, "gateway": gateway, "conforms": conforms(verdicts), "cases": cases}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> tuple[str, list[Verdict]]:
    """What :func:`write_json` wrote: the gateway's name and the verdicts. Raises ``ValueError``."""
    report = json.loads(path.read_text(encoding="utf-8"))
    if report.get("format") != FORMAT:
        raise ValueError(f"{path} is of format {report.get('format')!r}; this program reads {FORMAT}")
    verdicts = [
        Verdict(
            each["id"],
            each["clause"],
            Severity(each["severity"]),
            each["title"],
            Outcome(each["verdict"]),
            each["evidence"],
        )
        for each in report["cases"]
    ]
    return report["gateway"], verdicts


def conforms(verdicts: Sequence[Verdict]) -> bool:
    """Whether no must failed."""
    return not any(each.breaks_the_contract for each in verdicts)
