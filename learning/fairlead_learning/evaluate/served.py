"""What a router would say of texts: rules, learned head, and the conclusion from both, at the default thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_contract.decision import Classification, ClassificationFallback
from fairlead_learning.hybrid import Thresholds, conclude, decided_by_rules
from fairlead_learning.rules import Rulebook, judge
from fairlead_learning.text.surface import surface
from fairlead_learning.verdict import Learned, LearnedVerdict

RULES_ALONE, LEARNED_ALONE, HYBRID = "rules alone", "learned head alone", "hybrid, as served"


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was said of one text."""

    hybrid: Classification
    """As served."""
    rules_alone: Classification
    """As served by who has no bundle."""
    learned: LearnedVerdict


@dataclass(frozen=True, slots=True)
class Given:
    """Labels of some texts, by whatever method."""

    labels: list[str]
    confidences: list[float] | None
    """Probability of each label; ``None`` where the method has none."""


def answers(rulebook: Rulebook, learned: Learned, texts: Sequence[str]) -> list[Answer]:
    """One for each text. The learned head is asked of all, also where the rules are sure and the router would not ask it."""
    thresholds = Thresholds()
    found = []
    for text, verdict in zip(texts, learned.classify(texts), strict=True):
        seen = surface(text)
        rules = judge(rulebook, text, seen)
        asked = None if decided_by_rules(rules, thresholds) else verdict
        alone = conclude(text, seen, rules, None, thresholds=thresholds, fallback=ClassificationFallback.ENCODER_ABSENT)
        both = conclude(
            text,
            seen,
            rules,
            asked,
            labels=learned.labels,
            thresholds=thresholds,
            bundle_digest=learned.digest,
        )
        found.append(Answer(both, alone, verdict))
    return found


def halves(found: Sequence[Answer], labels: Sequence[str]) -> dict[str, Given]:
    """What the hybrid and each half alone said. ``labels``: in the order of the learned probabilities."""
    chances = [answer.learned.probabilities for answer in found]
    best = [max(row) for row in chances]
    return {
        RULES_ALONE: _said([answer.rules_alone for answer in found]),
        LEARNED_ALONE: Given([labels[row.index(most)] for row, most in zip(chances, best, strict=True)], best),
        HYBRID: _said([answer.hybrid for answer in found]),
    }


def _said(classifications: Sequence[Classification]) -> Given:
    return Given([each.category for each in classifications], [each.confidence for each in classifications])
