"""What drove a category, in words."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.decision import ClassificationFallback, ClassificationPath
from fairlead_router.explain.classifications import classification_in_words
from fairlead_router.explain.decisions import explain_decision
from fairlead_router.explain.words import decision_in_words
from tests.router.builders import a_classification, a_record, a_table


def words(**fields: Any) -> list[str]:
    return list(classification_in_words(a_classification(**fields)))


def test_everything_that_was_asked_is_told() -> None:
    assert words(
        path=ClassificationPath.AGREEMENT,
        confidence=0.934,
        microseconds=3_456,
        conformal_set=("coding",),
        rule_category="coding",
        rule_confidence=0.61,
        evidence=("coding.language", "coding.concepts"),
        probabilities={"chat": 0.05, "coding": 0.9, "math": 0.05},
        margin=0.85,
        bundle_digest="sha256:abc",
        language="en",
        contains_code=True,
        needs_reasoning=True,
    ) == [
        "coding with confidence 0.93, by the rules and the learned classifier alike; 3.46 ms",
        "certain: every category but coding can be excluded",
        "rules: coding with confidence 0.61 from coding.language, coding.concepts",
        "learned of bundle sha256:abc: coding 0.90, chat 0.05, math 0.05; margin 0.85",
        "easy, complexity 0.20, creativity 0.10, language en, contains code, needs reasoning",
    ]


@pytest.mark.parametrize("fallback", list(ClassificationFallback))
def test_why_the_rules_were_alone_is_told(fallback: ClassificationFallback) -> None:
    said = words(path=ClassificationPath.RULES, fallback=fallback)
    assert said[1].startswith("the rules decided although they were not sure: ")
    assert said[1].endswith(f"({fallback.value})")


def test_an_ambiguous_one_names_what_it_may_be() -> None:
    assert words()[1:] == [
        "ambiguous: it may be coding or math",
        "no rule spoke",
        "easy, complexity 0.20, creativity 0.10, language not known",
    ]
    assert words(conformal_set=())[1] == "ambiguous: it may be anything"
    assert ", from an answer kept earlier; " in words(cached=True)[0]


def test_a_decision_that_was_classified_shows_it_before_the_policies() -> None:
    table = a_table()
    told = decision_in_words(explain_decision(table, a_record(classification=a_classification())))
    assert "\nClassified\n  coding with confidence 0.60" in told
    assert told.index("Classified") < told.index("Decided by")
    assert "Classified" not in decision_in_words(explain_decision(table, a_record()))
