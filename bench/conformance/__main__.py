"""``python -m bench.conformance [--only NAME …] [--into docs/conformance.md]``: judge Fairlead and its peers, side by side.

A peer that cannot be installed or started here is named and left out. Exit status 1: Fairlead breaks the contract.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.conformance.gateways import FAIRLEAD, NAMES
from bench.conformance.judging import judge
from bench.peers.recipe import PeerUnavailable
from fairlead_conformance.compare import main as compare
from fairlead_conformance.report import conforms, summary, write_json


def main() -> int:
    """Judge each, compare, write."""
    parser = argparse.ArgumentParser(prog="bench.conformance", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, default=[], help="may be repeated")
    parser.add_argument("--reports", type=Path, metavar="DIR", help="keep the reports there")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into this page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conformance-reports-") as scratch:
        reports = given.reports or Path(scratch)
        reports.mkdir(parents=True, exist_ok=True)
        files, ours = [], True
        for name in given.only or NAMES:
            try:
                title, verdicts = asyncio.run(judge(name))
            except PeerUnavailable as reason:
                print(f"{name}: left out: {reason}", file=sys.stderr)
                continue
            files.append(str(report := reports / f"{name}.json"))
            write_json(verdicts, title, report)
            print(f"{title}: {summary(verdicts)}", file=sys.stderr)
            ours &= name != FAIRLEAD or conforms(verdicts)
        status = compare([*files, *(["--into", str(given.into)] if given.into else [])])
    return status or (0 if ours else 1)


if __name__ == "__main__":
    raise SystemExit(main())
