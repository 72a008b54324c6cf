"""What the classifier said of a request, and what drove it, in words."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath

_FALLBACKS = {
    ClassificationFallback.ENCODER_ABSENT: "no learned classifier is loaded",
    ClassificationFallback.DEADLINE_EXCEEDED: "the learned classifier did not answer within its deadline",
    ClassificationFallback.QUEUE_FULL: "too many requests waited for the learned classifier",
    ClassificationFallback.FAILED: "the learned classifier failed",
}
_PATHS = {
    ClassificationPath.RULES: "by the rules",
    ClassificationPath.LEARNED: "by the learned classifier",
    ClassificationPath.AGREEMENT: "by the rules and the learned classifier alike",
}


def classification_in_words(said: Classification) -> Iterator[str]:
    """Plain lines: the category and who named it, what else it could be, what the rules saw, the other findings."""
    kept = ", from an answer kept earlier" if said.cached else ""
    yield (
        f"{said.category} with confidence {said.confidence:.2f}, {_PATHS[said.path]}{kept}; "
        f"{said.microseconds / 1000:.2f} ms"
    )
    if said.fallback is not None:
        yield f"the rules decided although they were not sure: {_FALLBACKS[said.fallback]} ({said.fallback.value})"
    if said.certain:
        yield f"certain: every category but {said.conformal_set[0]} can be excluded"
    else:
        yield f"ambiguous: it may be {' or '.join(said.conformal_set) or 'anything'}"
    if said.rule_category is None:
        yield "no rule spoke"
    else:
        spoke = f" from {', '.join(said.evidence)}" if said.evidence else ""
        yield f"rules: {said.rule_category} with confidence {said.rule_confidence:.2f}{spoke}"
    if said.probabilities:
        ordered = sorted(said.probabilities.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{category} {probability:.2f}" for category, probability in ordered)
        margin = "" if said.margin is None else f"; margin {said.margin:.2f}"
        bundle = "" if said.bundle_digest is None else f" of bundle {said.bundle_digest}"
        yield f"learned{bundle}: {shown}{margin}"
    details = [
        said.difficulty.lower(),
        f"complexity {said.complexity:.2f}",
        f"creativity {said.creativity:.2f}",
        f"language {said.language}" if said.language else "language not known",
    ]
    if said.contains_code:
        details.append("contains code")
    if said.needs_reasoning:
        details.append("needs reasoning")
    yield ", ".join(details)
