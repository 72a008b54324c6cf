"""``fairlead eval``: how good a bundle is on labelled prompts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.train.rows import RowError, read_rows
from fairlead_learning.verdict import DEFAULT_ERROR_PERCENT

if TYPE_CHECKING:
    from fairlead_learning.evaluate.evaluation import Evaluation

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OK, FAILED = 0, 1

_DEFAULT = "default"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command and its own."""
    parser = subparsers.add_parser("eval", description="Say how good a bundle is on labelled data.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    classifier = actions.add_parser(
        "classifier",
        help="accuracy and calibration of a classifier, with the rules as it is served",
        description="Classify labelled prompts as a router would, and print one JSON object of figures.",
        epilog="exit status: 0 done, 1 bundle or rows cannot be used, 2 wrong usage",
    )
    classifier.add_argument(
        "--bundle", required=True, metavar="DIR", help=f"a bundle's folder; {_DEFAULT}: the one that comes along"
    )
    classifier.add_argument("--seed", type=int, default=1, help="of the bootstrap (default: %(default)s)")
    classifier.add_argument(
        "--error-percent",
        type=_percent,
        default=DEFAULT_ERROR_PERCENT,
        metavar="PERCENT",
        help="of the sets of categories that cannot be excluded (default: %(default)s)",
    )
    classifier.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines with text and label")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print. Returns the exit status."""
    try:
        found = _classifier(arguments)
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} is not installed: pip install 'fairlead[classifier]' brings it")
    except (RowError, BundleError) as error:
        return _complain(str(error))
    print(msgspec.json.encode(found).decode())
    return OK


def _classifier(arguments: argparse.Namespace) -> Evaluation:
    # Files first: what is wrong with them is found in no time.
    rows = read_rows(arguments.files)

    from fairlead_learning.evaluate.evaluation import evaluate
    from fairlead_learning.evaluate.served import answers
    from fairlead_learning.learned import DEFAULT_CLASSIFIER, LearnedClassifier
    from fairlead_learning.rules import Rulebook

    folder = DEFAULT_CLASSIFIER if arguments.bundle == _DEFAULT else Path(arguments.bundle)
    learned = LearnedClassifier.open(folder, error_percent=arguments.error_percent)
    found = answers(Rulebook.default(), learned, [row.text for row in rows])
    return evaluate(
        rows,
        found,
        labels=learned.labels,
        digest=learned.digest,
        error_percent=arguments.error_percent,
        seed=arguments.seed,
    )


def _percent(text: str) -> float:
    value = float(text)
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"takes more than 0 and less than 100, not {text}")
    return value


def _complain(message: str) -> int:
    print(f"fairlead eval: {message}", file=sys.stderr)
    return FAILED
