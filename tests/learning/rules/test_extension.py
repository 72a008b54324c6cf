from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fairlead_learning.rules import Rulebook, judge
from fairlead_learning.rules.extension import RulesInvalid
from fairlead_learning.rules.patterns import PatternRefused, check_pattern
from fairlead_learning.text.surface import surface

LEGAL = {
    "categories": ["legal"],
    "rules": [
        {"name": "legal.clause", "category": "legal", "score": 0.9, "phrases": ["indemnity clause", "force majeure"]}
    ],
    "examples": {"legal": ["Does this indemnity clause survive termination?"]},
}


def category_of(rulebook: Rulebook, text: str) -> str:
    return judge(rulebook, text, surface(text)).category


def test_a_new_category_is_found_by_its_rules_and_rare_without_them() -> None:
    book = Rulebook.extended(LEGAL)
    found = judge(book, "Red-line the force majeure part", surface("Red-line the force majeure part"))
    assert found.category == "legal"
    assert found.confidence > 0.7
    assert judge(book, "", surface("")).scores["legal"] < 0.05
    assert book.examples == {"legal": ("Does this indemnity clause survive termination?",)}
    assert book.categories[-1] == "legal"


def test_the_default_rulebook_is_not_changed_by_extending_it() -> None:
    before = Rulebook.default().categories
    Rulebook.extended(LEGAL)
    assert Rulebook.default().categories == before


def test_a_default_rule_can_be_disabled_and_replaced() -> None:
    rule = {"name": "chat.greeting", "category": "general", "score": 0.95, "phrases": ["hi"], "where": "whole"}
    book = Rulebook.extended(
        {"disable": ["chat.greeting", "chat.greeting_and_more", "chat.few_words"], "rules": [rule]}
    )
    assert category_of(Rulebook.default(), "hi") == "chat"
    assert category_of(book, "hi") == "general"


def test_an_empty_configuration_changes_no_verdict() -> None:
    text = "Write a poem"
    assert judge(Rulebook.extended({}), text, surface(text)) == judge(Rulebook.default(), text, surface(text))


def rule(**changes: Any) -> dict[str, Any]:
    return {"rules": [{"name": "r", "category": "chat", "score": 0.9, "phrases": ["tea"], **changes}]}


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ([], "Expected `object`"),
        ({"rulez": []}, "unknown field `rulez`"),
        (rule(score="high"), "$.rules[0].score"),
        (rule(score=1.0), "$.rules[0].score: 1.0 is no probability"),
        (rule(score=float("nan")), "$.rules[0].score"),
        (rule(category="law"), "$.rules[0].category: 'law' is none; add it to categories"),
        (rule(name="chat.greeting"), "$.rules[0].name: 'chat.greeting' is taken"),
        (rule(name=""), "$.rules[0].name"),
        (rule(phrases=[]), "$.rules[0]: has no condition"),
        (rule(phrases=[], pattern="x", where="start"), "followedBy say something of phrases"),
        (rule(phrases=["!?"]), "$.rules[0].phrases[0]: '!?' has no word in it"),
        (rule(phrases=["x" * 101]), "$.rules[0].phrases[0]: has 101 characters"),
        (rule(phrases=["tea"] * 301), "$.rules[0].phrases: 301 entries"),
        (rule(followedBy=["…"]), "$.rules[0].followedBy[0]"),
        (rule(within=0), "$.rules[0].within"),
        (rule(where="middle"), "$.rules[0].where"),
        (rule(pattern="(a"), "$.rules[0].pattern: is not a regular expression"),
        (rule(pattern="(a+)+"), "$.rules[0].pattern: can match in too many ways"),
        (rule(surface={"smell": [1, 2]}), "$.rules[0].surface.smell: no such feature"),
        (rule(surface={"words": [5, 1]}), "$.rules[0].surface.words: no number lies between 5.0 and 1.0"),
        (rule(surface={"words": [float("nan"), 1]}), "$.rules[0].surface.words: no number lies"),
        (rule(needs=["tea"]), "$.rules[0].needs: says when the pattern is tried"),
        (rule(pattern="(?:tea)?"), "$.rules[0].pattern: matches where nothing is"),
        (
            {"rules": [{**rule(pattern="te.{0,60}a")["rules"][0], "name": str(n)} for n in range(4)]},
            "$.rules: the patterns can match in 244 ways together",
        ),
        (rule(believed=0.5), "$.rules[0].believed"),
        ({"disable": ["nobody"]}, "$.disable[0]: there is no default rule 'nobody'"),
        ({"categories": ["Legal Affairs"]}, "$.categories[0]: 'Legal Affairs' is no name"),
        ({"categories": ["chat"]}, "$.categories[0]: 'chat' is there already"),
        ({"categories": ["a", "a"]}, "$.categories[1]: 'a' is there already"),
        ({"categories": [f"c{n}" for n in range(33)]}, "$.categories: 33 categories"),
        ({"examples": {"law": ["x"]}}, "$.examples.law: no such category"),
        ({"examples": {"chat": [" "]}}, "$.examples.chat[0]"),
        ({"examples": {"chat": ["x" * 2001]}}, "$.examples.chat[0]: has 2001 characters"),
        ({"examples": {"chat": ["x"] * 201}}, "$.examples.chat: 201 examples"),
        ({"rules": [{**rule()["rules"][0], "name": str(n)} for n in range(501)]}, "$.rules: 501 rules"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(configuration: object, message: str) -> None:
    with pytest.raises(RulesInvalid, match=re.escape(message)):
        Rulebook.extended(configuration)


@pytest.mark.parametrize("pattern", [r"\bOolong", "OOLONG", "oolong"])
@pytest.mark.parametrize("text", ["A cup of oolong", "OOLONG!"])
def test_letter_case_does_not_matter_to_patterns(pattern: str, text: str) -> None:
    book = Rulebook.extended(rule(phrases=[], pattern=pattern, needs=["Ool"]))
    assert "r" in judge(book, text, surface(text)).evidence


def test_the_example_in_the_document_can_be_used() -> None:
    document = Path(__file__).parents[3] / "docs" / "classification.md"
    configuration = document.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    book = Rulebook.extended(json.loads(configuration))
    assert category_of(book, "Is this a breach of contract under the governing law?") == "legal"
    assert category_of(book, "Why does foundry deploy say no?") == "coding"
    assert set(book.examples) == {"legal"}


@pytest.mark.parametrize(
    "pattern",
    [
        r"\binvoice (?:no|number)\b",
        r"write .{0,80}poem",
        r"^to: ",
        "colou?r",
        "(?:very ){0,5}good",
        r"\d{4}-\d{2}",
        "(?<!un)happy",
    ],
)
def test_patterns_that_are_quick_on_any_text_are_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|a)*b",
        "(a|ab){1,30}c",
        ".*poem",
        r"\w+\s+\w+x",
        ".{0,100}a.{0,100}b",
        "(?:a?){30}a",
        r"[a-z]{0,120}\d",
        "",
        "a*",
        r"\b",
        "a?a?a?a?a?a?a?a?a?a?b",
        r"(a)\1",
        "((a{0,20}){0,20}){0,20}",
        "a{5000}",
        "x" * 201,
        "[",
        "(?P<n>",
        "a{2,1}",
    ],
)
def test_patterns_that_might_take_long_are_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        check_pattern(pattern)
