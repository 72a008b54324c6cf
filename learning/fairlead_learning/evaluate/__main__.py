"""``make eval``: the default bundle beside other methods. Needs the extra ``train``; some minutes on two cores.

    python -m fairlead_learning.evaluate --train prompts_train.jsonl --eval prompts_dev.jsonl [--into docs/evaluation.md]

prints one JSON object, and writes tables between the marks of the document and plots into the folder beside it that bears its
name. Other methods learn from the rows of ``--train``, and where the table says so from the prompts written for this project as
well, as ours does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fairlead_contract.generated import between_marks
from fairlead_learning.evaluate.baselines import Fit, Method, methods
from fairlead_learning.evaluate.evaluation import Evaluation, Figures, evaluate, figures
from fairlead_learning.evaluate.flips import Flips, flips
from fairlead_learning.evaluate.folds import SourceFigures, of_methods
from fairlead_learning.evaluate.metrics import confusion_of
from fairlead_learning.evaluate.plots import confusion_plot, reliability_diagram
from fairlead_learning.evaluate.served import HYBRID, LEARNED_ALONE, Answer, answers, halves
from fairlead_learning.evaluate.tables import (
    classes_table,
    flips_table,
    methods_table,
    parts_table,
    sources_of_rows_table,
    sources_table,
)
from fairlead_learning.learned import DEFAULT_CLASSIFIER, LearnedClassifier
from fairlead_learning.rules import Rulebook
from fairlead_learning.train.classifier import AUTHORED
from fairlead_learning.train.rows import Row, read_rows
from fairlead_learning.verdict import DEFAULT_ERROR_PERCENT

_BESIDE = "TF-IDF word + char, linear SVM"
"""The method whose labels are changed beside ours."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that is printed."""

    ours: Evaluation
    methods: dict[str, Figures]
    flips: dict[str, dict[str, Flips]]
    left_out_sources: dict[str, SourceFigures]


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, compare, print, write. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_CLASSIFIER, metavar="DIR")
    parser.add_argument("--train", required=True, type=Path, metavar="FILE", help="rows that other methods learn from")
    parser.add_argument("--eval", required=True, type=Path, metavar="FILE", help="rows to evaluate")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap and of changes")
    parser.add_argument("--into", type=Path, metavar="FILE", help="Markdown with marks")
    given = parser.parse_args(arguments)
    learned = LearnedClassifier.open(given.bundle)
    rows, train = read_rows([given.eval]), read_rows([given.train])
    found = answers(Rulebook.default(), learned, [row.text for row in rows])
    comparison = _compare(rows, train, found, learned, given.seed)
    if given.into is not None:
        text = given.into.read_text()
        for mark, block in blocks(comparison).items():
            text = between_marks(text, mark, block)
        given.into.write_text(text)
        _plot(given.into.with_suffix(""), rows, found, learned.labels)
    print(msgspec.json.format(msgspec.json.encode(comparison)).decode())
    return 0


def blocks(comparison: Comparison) -> Mapping[str, str]:
    """What stands between which marks."""
    return {
        "methods": methods_table(comparison.methods),
        "parts": parts_table(comparison.ours),
        "classes": classes_table(comparison.ours),
        "rows by source": sources_of_rows_table(comparison.ours),
        "flips": flips_table(comparison.flips),
        "left-out sources": sources_table(comparison.left_out_sources),
    }


def _compare(
    rows: Sequence[Row], train: Sequence[Row], found: Sequence[Answer], learned: LearnedClassifier, seed: int
) -> Comparison:
    others = methods(_report)
    authored = [*train, *read_rows([AUTHORED])]
    right, texts = [row.label for row in rows], [row.text for row in rows]
    compared: dict[str, Figures] = {}
    fitted: dict[str, Method] = {}
    for name, fit in others.items():
        fitted[name] = _fitted(fit, train, name)
        said = fitted[name](texts)
        compared[name] = figures(right, said.labels, said.confidences, seed=seed)
    for name, fit in list(others.items())[1:]:
        name = f"{name}, with our prompts"
        said = _fitted(fit, authored, name)(texts)
        compared[name] = figures(right, said.labels, said.confidences, seed=seed)
    for name, said in halves(found, learned.labels).items():
        compared[name] = figures(right, said.labels, said.confidences, seed=seed)
    _report("changing texts")

    def label(asked: Sequence[str]) -> dict[str, list[str]]:
        ours = halves(answers(Rulebook.default(), learned, asked), learned.labels)
        return {name: said.labels for name, said in ours.items()} | {_BESIDE: fitted[_BESIDE](asked).labels}

    return Comparison(
        ours=evaluate(
            rows, found, labels=learned.labels, digest=learned.digest, error_percent=DEFAULT_ERROR_PERCENT, seed=seed
        ),
        methods=compared,
        flips=flips(rows, label, seed=seed),
        left_out_sources=of_methods(train, others, _report),
    )


def _fitted(fit: Fit, rows: Sequence[Row], name: str) -> Method:
    _report(f"fitting: {name}")
    return fit([row.text for row in rows], [row.label for row in rows])


def _plot(folder: Path, rows: Sequence[Row], found: Sequence[Answer], labels: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    right, ours = [row.label for row in rows], halves(found, labels)
    reliability_diagram(folder / "reliability.png", right, {name: ours[name] for name in (HYBRID, LEARNED_ALONE)})
    confusion_plot(folder / "confusion.png", confusion_of(right, ours[HYBRID].labels, labels))


def _report(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
