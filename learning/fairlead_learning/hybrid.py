"""Rules and learned head brought to one answer. Pure: the same verdicts always give the same classification.

Both give calibrated probabilities, so they may be compared and combined:

1. Rules above ``Thresholds.rules`` decide alone; the learned head need not be asked (``decided_by_rules``).
2. Otherwise a learned head above ``Thresholds.learned`` decides.
3. Otherwise both are pooled: each learned probability times what the rules make of their prior one, to the power of
   ``RULES_SHARE``, brought to a sum of 1. Where no rule spoke that is what the head said. The power would be 1 for
   independent witnesses (Bayes), and less for two that read the same words.
4. Where both name the same category, that is agreement: the confidence is the pooled one, not less than that of either and
   not more than ``AGREEMENT_AT_MOST`` unless one of them is.
5. Without a learned verdict the rules decide, and ``fallback`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_learning.rules import RuleVerdict
from fairlead_learning.text.language import language_of
from fairlead_learning.text.surface import SurfaceFeatures
from fairlead_learning.text.traits import traits
from fairlead_learning.verdict import LearnedVerdict

RULES_SHARE = 0.25
"""Of 0 to 1, by cross-validation: more gains on sources left out (0.6 points at 1) and loses on known ones (1.0)."""
AGREEMENT_AT_MOST = 0.99
EXCLUDED_BELOW = 0.02
"""Rules that are alone and not sure exclude what they hold less likely than this; where nothing spoke, nothing is."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Above which confidence a half decides without the other."""

    rules: float = 0.7
    learned: float = 0.8


def decided_by_rules(rules: RuleVerdict, thresholds: Thresholds) -> bool:
    """Whether nobody else need be asked."""
    return rules.confidence > thresholds.rules


def conclude(
    text: str,
    surface: SurfaceFeatures,
    rules: RuleVerdict,
    learned: LearnedVerdict | None,
    *,
    labels: Sequence[str] = (),
    thresholds: Thresholds,
    fallback: ClassificationFallback | None = None,
    bundle_digest: str | None = None,
    cached: bool = False,
    microseconds: int = 0,
) -> Classification:
    """The classification of one text, of which nothing but numbers and names is kept.

    Args:
        surface: of the text, as are both verdicts.
        labels: categories in the order of the learned probabilities.
        fallback: why there is no learned verdict; kept only where it was wanted, that is where the rules are not sure.
        bundle_digest: of the learned head; kept only with its verdict.
    """
    probabilities = {} if learned is None else dict(zip(labels, learned.probabilities, strict=True))
    path, category, confidence = _settled(rules, probabilities, thresholds)
    ranked = sorted(probabilities.values(), reverse=True)
    wanted = not decided_by_rules(rules, thresholds)
    found = traits(text, surface, category)
    return Classification(
        bundle_digest=bundle_digest if learned is not None else None,
        path=path,
        fallback=fallback if wanted and learned is None else None,
        category=category,
        confidence=confidence,
        probabilities=probabilities,
        margin=ranked[0] - ranked[1] if len(ranked) > 1 else None,
        conformal_set=_not_excluded(category, rules, learned) if wanted else (category,),
        rule_category=rules.category,
        rule_confidence=rules.confidence,
        evidence=rules.evidence,
        difficulty=found.difficulty.value,
        complexity=found.complexity,
        creativity=found.creativity,
        language=language_of(text),
        contains_code=found.contains_code,
        needs_reasoning=found.needs_reasoning,
        cached=cached and learned is not None,
        microseconds=microseconds,
    )


def _settled(
    rules: RuleVerdict, probabilities: Mapping[str, float], thresholds: Thresholds
) -> tuple[ClassificationPath, str, float]:
    """Who decides, what, and how sure."""
    if not probabilities or decided_by_rules(rules, thresholds):
        return ClassificationPath.RULES, rules.category, rules.confidence
    best = max(probabilities, key=probabilities.__getitem__)
    pool = _pooled(rules, probabilities)
    if best == rules.category and rules.evidence:
        either = max(probabilities[best], rules.confidence)
        return ClassificationPath.AGREEMENT, best, max(either, min(pool[best], AGREEMENT_AT_MOST))
    if probabilities[best] > thresholds.learned or not rules.evidence:
        return ClassificationPath.LEARNED, best, probabilities[best]
    best = max(pool, key=pool.__getitem__)
    path = ClassificationPath.RULES if best == rules.category else ClassificationPath.LEARNED
    return path, best, pool[best]


def _pooled(rules: RuleVerdict, probabilities: Mapping[str, float]) -> dict[str, float]:
    """Of a category that the head was not trained on, it is what the rules say."""
    masses = {
        category: probabilities[category] * (rules.scores[category] / prior) ** RULES_SHARE
        if category in probabilities
        else rules.scores[category]
        for category, prior in rules.priors.items()
    }
    masses |= {category: value for category, value in probabilities.items() if category not in masses}
    total = sum(masses.values())
    return {category: mass / total for category, mass in masses.items()} if total > 0 else dict(probabilities)


def _not_excluded(category: str, rules: RuleVerdict, learned: LearnedVerdict | None) -> tuple[str, ...]:
    """With the category that was settled on, also where the head alone would exclude it."""
    if learned is not None:
        return learned.conformal_set if category in learned.conformal_set else (category, *learned.conformal_set)
    kept = [category for category, score in rules.scores.items() if score >= EXCLUDED_BELOW]
    return tuple(sorted(kept, key=lambda category: -rules.scores[category]))
