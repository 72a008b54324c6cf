"""Generalisation of our classifier to sources that it has not seen. Needs the extra ``train``.

    python -m fairlead_learning.evaluate.sources --train prompts_train.jsonl --bundles DIR [--into docs/evaluation.md]

trains one classifier for each fold with the recipe of the default bundle, ten minutes each on two cores, unless DIR has it
already, prints one JSON object and writes the table. Scores of the rules are fitted anew in each fold as well. The words of
the rules, and the prompts written for this project, were chosen by people who had seen rows of the training split, which no
fold can undo.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairlead_contract.generated import between_marks
from fairlead_learning.evaluate.folds import of_ours
from fairlead_learning.evaluate.tables import sources_table
from fairlead_learning.train.rows import read_rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, evaluate, print, write. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, type=Path, metavar="FILE")
    parser.add_argument("--bundles", required=True, type=Path, metavar="DIR", help="where classifiers are kept")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, metavar="FILE", help="Markdown with the marks `our sources`")
    given = parser.parse_args(arguments)
    rows = read_rows([given.train])
    found = of_ours(rows, seed=given.seed, bundles=given.bundles, report=lambda words: print(words, file=sys.stderr))
    if given.into is not None:
        given.into.write_text(between_marks(given.into.read_text(), "our sources", sources_table(found)))
    print(msgspec.json.format(msgspec.json.encode(found)).decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
