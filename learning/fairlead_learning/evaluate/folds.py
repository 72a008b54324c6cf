"""Which sources are left out together, and what is fitted to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.manifest import MANIFEST
from fairlead_learning.evaluate.baselines import Fit
from fairlead_learning.evaluate.evaluation import Figures, figures
from fairlead_learning.evaluate.metrics import accuracy, confusion_of
from fairlead_learning.evaluate.served import Given, answers, halves
from fairlead_learning.learned import LearnedClassifier
from fairlead_learning.rules import Rulebook
from fairlead_learning.rules.rulebook import compiled
from fairlead_learning.train.rows import Row, digest_of

FOLDS: Mapping[str, tuple[str, ...]] = {
    "1": (
        "arena_hard_v2",
        "nq_open",
        "clinc_small_talk",
        "bbh_causal_judgement",
        "bbh_formal_fallacies",
        "bbh_logical_deduction",
        "bbh_snarks",
    ),
    "2": ("mbpp", "gsm8k_test", "dolly_open_qa", "dolly_classification", "clinc_assistant_command", "chatterbot"),
    "3": (
        "humaneval",
        "math_l5",
        "mmlu_mcq",
        "dolly_general_qa",
        "dolly_creative_writing",
        "dolly_summarization",
        "dolly_brainstorming",
        "bbh_disambiguation_qa",
        "bbh_movie_recommendation",
        "bbh_ruin_names",
        "bbh_salient_translation",
    ),
}
"""Sources, or beginnings of their names. In each fold every category keeps rows of another source. The recipe of training was
chosen on these folds too (docs/classification.md), so figures of ours on them are a little kind to it."""


class SourceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one method on rows of sources that it was not fitted to."""

    overall: Figures
    folds: dict[str, float]
    """Accuracy."""


class Collected:
    """What each method said in each fold."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, tuple[list[str], Given]]] = {}

    def add(self, method: str, fold: str, right: list[str], given: Given) -> None:
        """``right`` are the labels of the rows left out."""
        self._said.setdefault(method, {})[fold] = right, given

    def figures(self) -> dict[str, SourceFigures]:
        """By method."""
        return {method: _figures(said) for method, said in self._said.items()}


def fold_of(source: str) -> str | None:
    """The fold in which ``source`` is left out; ``None``: in none."""
    return next((name for name, heads in FOLDS.items() if source.startswith(heads)), None)


def splits(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """Of each fold the name, rows to learn from, rows left out. Rows of sources that are in no fold are always learned from."""
    for name in FOLDS:
        left_out = [row for row in rows if fold_of(row.source) == name]
        if left_out:
            yield name, [row for row in rows if fold_of(row.source) != name], left_out


def of_methods(
    rows: Sequence[Row], methods: Mapping[str, Fit], report: Callable[[str], None]
) -> dict[str, SourceFigures]:
    """By name of the method."""
    collected = Collected()
    for fold, learned_from, left_out in splits(rows):
        for name, fit in methods.items():
            report(f"left out: {fold}; {name}")
            method = fit([row.text for row in learned_from], [row.label for row in learned_from])
            collected.add(name, fold, [row.label for row in left_out], method([row.text for row in left_out]))
    return collected.figures()


def of_ours(
    rows: Sequence[Row], *, seed: int, bundles: Path, report: Callable[[str], None]
) -> dict[str, SourceFigures]:
    """Rules, learned head and hybrid: one classifier trained for each fold, kept in ``bundles`` and found there next time."""
    collected = Collected()
    for fold, learned_from, left_out in splits(rows):
        report(f"left out: {fold}")
        data = bundles / f"fold-{fold}.jsonl"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_bytes(b"\n".join(map(msgspec.json.encode, learned_from)))
        learned = _trained(data, bundles / f"fold-{fold}", seed=seed, report=report)
        book = refitted(Rulebook.default(), data)
        right = [row.label for row in left_out]
        for name, given in halves(answers(book, learned, [row.text for row in left_out]), learned.labels).items():
            report(f"left out: {fold}; {name}: {accuracy(confusion_of(right, given.labels)):.3f}")
            collected.add(name, fold, right, given)
    return collected.figures()


def _trained(data: Path, bundle: Path, *, seed: int, report: Callable[[str], None]) -> LearnedClassifier:
    """The classifier in ``bundle`` if it was trained with these rows and this seed, or else a new one."""
    from fairlead_learning.train.classifier import AUTHORED, Options, train_classifier

    if (bundle / MANIFEST).exists():
        origin = Bundle.open(bundle).manifest.origin
        made_from = {digest_of(data), digest_of(AUTHORED)}
        if set(origin.data.values()) == made_from and origin.seed == seed:
            report(f"{bundle} is trained already")
            return LearnedClassifier.open(bundle)
    train_classifier(Options([data], bundle, seed=seed), report)
    return LearnedClassifier.open(bundle)


def refitted(rulebook: Rulebook, data: Path) -> Rulebook:
    """The same rules with scores fitted as those in force were: to rows of the data and to the prompts of this project."""
    from fairlead_learning.train.classifier import AUTHORED
    from fairlead_learning.train.rules import Spoken, fitted_scores, read

    rows = Spoken.of([read(file, rulebook) for file in (data, AUTHORED)])
    return rescored(rulebook, fitted_scores(rulebook, rows))


def rescored(rulebook: Rulebook, scores: Mapping[str, float]) -> Rulebook:
    """The same rules with other scores, by name."""
    sources = (msgspec.structs.replace(rule, score=scores[rule.name]) for rule in rulebook.sources)
    return compiled(sources, rulebook.lead_phrases, rulebook.priors)


def _figures(said: Mapping[str, tuple[list[str], Given]]) -> SourceFigures:
    right = [label for labels, _ in said.values() for label in labels]
    given = [label for _, each in said.values() for label in each.labels]
    confidences = [sure for _, each in said.values() for sure in each.confidences or ()]
    return SourceFigures(
        overall=figures(right, given, confidences if len(confidences) == len(right) else None),
        folds={fold: round(accuracy(confusion_of(labels, each.labels)), 4) for fold, (labels, each) in said.items()},
    )
