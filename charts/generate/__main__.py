"""`python -m charts.generate [--check]`."""

from __future__ import annotations

import argparse
import sys

from charts.generate import problems, stale_files, write_files
from charts.generate.values import BadValues


def main(arguments: list[str] | None = None) -> int:
    """Write the generated files of the chart, or with --check only say which are stale; 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m charts.generate", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is stale")
    only_check = parser.parse_args(arguments).check
    try:
        found = problems()
        changed = stale_files() if only_check else write_files()
    except BadValues as error:
        print(error, file=sys.stderr)
        return 1
    for path in changed:
        print(f"{path} is stale: run python -m charts.generate" if only_check else f"wrote {path}", file=sys.stderr)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found or (only_check and changed) else 0


if __name__ == "__main__":
    sys.exit(main())
