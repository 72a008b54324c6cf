from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_learning.categories import CATEGORIES
from fairlead_learning.hybrid import AGREEMENT_AT_MOST, Thresholds, conclude
from fairlead_learning.rules import RuleVerdict
from fairlead_learning.text.surface import surface
from fairlead_learning.verdict import LearnedVerdict

EVEN = dict.fromkeys(CATEGORIES, 1 / len(CATEGORIES))


def spread(category: str, probability: float) -> dict[str, float]:
    rest = (1 - probability) / (len(CATEGORIES) - 1)
    return {name: probability if name == category else rest for name in CATEGORIES}


def rules(category: str, confidence: float, evidence: tuple[str, ...] = ("r",)) -> RuleVerdict:
    return RuleVerdict(category, confidence, spread(category, confidence), evidence, EVEN)


def learned(category: str, probability: float, conformal: tuple[str, ...] | None = None) -> LearnedVerdict:
    return LearnedVerdict(tuple(spread(category, probability).values()), conformal or (category,))


def concluded(
    rule: RuleVerdict, head: LearnedVerdict | None, fallback: ClassificationFallback | None = None
) -> Classification:
    text = "some text"
    return conclude(
        text,
        surface(text),
        rule,
        head,
        labels=CATEGORIES,
        thresholds=Thresholds(),
        fallback=fallback,
        bundle_digest="d",
    )


@pytest.mark.parametrize(
    ("rule", "head", "path", "category"),
    [
        (rules("coding", 0.9), None, ClassificationPath.RULES, "coding"),
        (rules("coding", 0.71), learned("math", 0.99), ClassificationPath.RULES, "coding"),
        (rules("coding", 0.7), learned("math", 0.81), ClassificationPath.LEARNED, "math"),
        (rules("coding", 0.5), learned("coding", 0.6), ClassificationPath.AGREEMENT, "coding"),
        (rules("coding", 0.3), learned("coding", 0.95), ClassificationPath.AGREEMENT, "coding"),
        (rules("coding", 0.69), learned("math", 0.2), ClassificationPath.RULES, "coding"),
        (rules("coding", 0.3), learned("math", 0.6), ClassificationPath.LEARNED, "math"),
        (rules("general", 1 / 7, ()), learned("general", 0.5), ClassificationPath.LEARNED, "general"),
        (rules("general", 1 / 7, ()), learned("chat", 0.3), ClassificationPath.LEARNED, "chat"),
    ],
    ids=[
        "rules that are sure need nobody",
        "rules that are sure are not overruled",
        "a head that is sure decides where rules are not",
        "both agree",
        "agreement is named where the head is sure too",
        "rules that are nearly sure win over a head that knows little",
        "the surer one wins below both thresholds",
        "silence is no agreement",
        "silence leaves it to the head",
    ],
)
def test_who_decides(rule: RuleVerdict, head: LearnedVerdict | None, path: ClassificationPath, category: str) -> None:
    found = concluded(rule, head)
    assert (found.path, found.category) == (path, category)


def test_agreement_raises_confidence() -> None:
    assert concluded(rules("coding", 0.6), learned("coding", 0.7)).confidence > 0.7


def test_agreement_with_rules_that_doubt_is_no_less_sure_than_the_head() -> None:
    doubting = RuleVerdict("coding", 0.4, spread("coding", 0.4), ("r",), spread("coding", 0.6))
    assert concluded(doubting, learned("coding", 0.7)).confidence == pytest.approx(0.7)


def test_agreement_alone_makes_nobody_certain() -> None:
    assert concluded(rules("coding", 0.7), learned("coding", 0.985)).confidence == AGREEMENT_AT_MOST


def test_disagreement_lowers_it() -> None:
    assert concluded(rules("coding", 0.5), learned("math", 0.7)).confidence < 0.7


def test_without_a_learned_verdict_the_reason_is_kept_where_it_was_wanted() -> None:
    late = ClassificationFallback.DEADLINE_EXCEEDED
    assert concluded(rules("coding", 0.5), None, late).fallback is late
    assert concluded(rules("coding", 0.9), None, late).fallback is None
    assert concluded(rules("coding", 0.5), learned("coding", 0.5), late).fallback is None


def test_the_bundle_is_named_only_with_its_verdict() -> None:
    assert concluded(rules("coding", 0.5), learned("coding", 0.5)).bundle_digest == "d"
    assert concluded(rules("coding", 0.5), None).bundle_digest is None


@pytest.mark.parametrize(
    ("rule", "head", "expected"),
    [
        (rules("coding", 0.9), None, ("coding",)),
        (rules("coding", 0.5), learned("math", 0.5, ("math", "coding")), ("math", "coding")),
        (rules("coding", 0.69), learned("math", 0.2, ("math",)), ("coding", "math")),
        (
            RuleVerdict("chat", 0.6, {"chat": 0.6, "question": 0.39, "math": 0.01}, ("r",), EVEN),
            None,
            ("chat", "question"),
        ),
        (RuleVerdict("general", 1 / 7, EVEN, (), EVEN), None, CATEGORIES),
    ],
    ids=[
        "sure rules",
        "the head's own",
        "the head's own and what rules settled on",
        "rules alone, unsure",
        "nothing spoke",
    ],
)
def test_what_cannot_be_excluded(rule: RuleVerdict, head: LearnedVerdict | None, expected: tuple[str, ...]) -> None:
    assert concluded(rule, head).conformal_set == expected


def test_a_category_the_head_was_not_trained_on_can_win_by_its_rules() -> None:
    priors = {**spread("general", 1 / 7), "legal": 0.02}
    rule = RuleVerdict("legal", 0.7, {**dict.fromkeys(CATEGORIES, 0.3 / 7), "legal": 0.7}, ("legal",), priors)
    assert concluded(rule, learned("question", 0.3)).category == "legal"


probabilities = st.lists(st.floats(0.01, 1), min_size=7, max_size=7).map(
    lambda parts: [part / sum(parts) for part in parts]
)


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[RuleVerdict, LearnedVerdict | None]:
    scores = dict(zip(CATEGORIES, draw(probabilities), strict=True))
    best = max(scores, key=scores.__getitem__)
    priors = dict(zip(CATEGORIES, draw(probabilities), strict=True))
    head = draw(st.none() | probabilities.map(lambda found: LearnedVerdict(tuple(found), ("math",))))
    return RuleVerdict(best, scores[best], scores, draw(st.sampled_from([(), ("r",)])), priors), head


@given(verdicts())
def test_confidence_is_a_probability_and_the_category_a_known_one(
    both: tuple[RuleVerdict, LearnedVerdict | None],
) -> None:
    found = concluded(*both)
    assert 0 <= found.confidence <= 1
    assert found.category in CATEGORIES
    assert found.category in found.conformal_set
    assert found == concluded(*both)


@given(st.sampled_from(CATEGORIES), st.floats(0.2, 0.69), st.floats(0.2, 0.99), st.floats(0, 0.3))
def test_agreement_is_at_least_as_sure_as_either_and_grows_with_each(
    category: str, rule: float, head: float, more: float
) -> None:
    found = concluded(rules(category, rule), learned(category, head)).confidence
    assert found >= max(rule, head)
    assert found <= max(rule, head, AGREEMENT_AT_MOST)
    assert concluded(rules(category, min(rule + more, 0.7)), learned(category, head)).confidence >= found - 1e-9
    assert concluded(rules(category, rule), learned(category, min(head + more, 1.0))).confidence >= found - 1e-9
