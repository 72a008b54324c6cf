"""``python -m fairlead_conformance.compare FILE…``: reports of several gateways, made with ``--json``, as one table.

The table is Markdown. With ``--into PAGE`` it replaces what stands there between two comments, ``conformance:begin`` and
``conformance:end``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairlead_conformance.case import Severity
from fairlead_conformance.report import read_json, score
from fairlead_conformance.run import Outcome, Verdict

BEGIN, END = "<!-- conformance:begin -->", "<!-- conformance:end -->"
_MARKS = {Outcome.PASS: "✓", Outcome.FAIL: "**✗**", Outcome.NOT_APPLICABLE: "–"}

Reports = Mapping[str, Sequence[Verdict]]
"""Verdicts by the name of the gateway."""


def markdown(reports: Reports) -> str:
    """The scores, the table of all cases, and what was seen where a case failed."""
    names = list(reports)
    found = {name: {each.id: each for each in verdicts} for name, verdicts in reports.items()}
    cases = {each.id: each for verdicts in reports.values() for each in verdicts}
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for severity in Severity:
        scores = " | ".join(score(reports[name], severity) for name in names)
        lines.append(f"| {severity.value}, passed of those that apply | {scores} |")
    lines += ["", f"| clause | case | | {' | '.join(names)} |", f"|---|---|---|{'---|' * len(names)}"]
    for name, case in cases.items():
        marks = " | ".join(_MARKS[found[each][name].outcome] if name in found[each] else "" for each in names)
        lines.append(f"| {case.clause} | {_cell(case.title)} (`{name}`) | {case.severity.value} | {marks} |")
    for name in names:
        failed = [each for each in reports[name] if each.outcome is Outcome.FAIL]
        if failed:
            lines += ["", f"What was seen of {name}:", "", "| case | |", "|---|---|"]
            lines += [f"| `{each.id}` | {_cell(each.evidence)} |" for each in failed]
    return "\n".join(lines) + "\n"


def replace_block(page: str, block: str) -> str:
    """``page`` with ``block`` between its markers. Raises ``ValueError`` if it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{block}\n{END}{after}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, write."""
    parser = argparse.ArgumentParser(prog="fairlead-conformance-compare", description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, metavar="PAGE")
    given = parser.parse_args(arguments)
    try:
        text = markdown(dict(map(read_json, given.reports)))
        if given.into is None:
            print(text)
        else:
            given.into.write_text(replace_block(given.into.read_text(encoding="utf-8"), text), encoding="utf-8")
    except (OSError, ValueError, KeyError) as error:
        print(f"fairlead-conformance-compare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
