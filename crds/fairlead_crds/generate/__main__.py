"""`python -m fairlead_crds.generate [--check]`."""

from __future__ import annotations

import argparse
import sys

from fairlead_crds.generate import stale_files, write_files


def main(arguments: list[str] | None = None) -> int:
    """Write the generated files, or with --check only say which are stale; 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m fairlead_crds.generate", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is stale")
    if parser.parse_args(arguments).check:
        stale = stale_files()
        for path in stale:
            print(f"{path} is stale: run python -m fairlead_crds.generate", file=sys.stderr)
        return 1 if stale else 0
    for path in write_files():
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
