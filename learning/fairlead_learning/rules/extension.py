"""Rules that a configuration adds to the default ones, checked so that no text can make them slow.

In comes plain data, as read from a file; out comes a rulebook, or an error that says what is wrong, where, and how to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fairlead_learning.rules.patterns import PatternRefused, check_pattern
from fairlead_learning.rules.phrases import phrase
from fairlead_learning.rules.rule import Rule, Where
from fairlead_learning.rules.rulebook import Rulebook, compiled
from fairlead_learning.text.surface import FEATURE_NAMES

RULES_AT_MOST = 500
PHRASES_AT_MOST = 300
"""In one rule, as of what may follow."""
WAYS_AT_MOST = 200
"""Of all patterns together (``patterns``): about four milliseconds on the event loop for the worst text."""
CATEGORIES_AT_MOST = 32
EXAMPLES_AT_MOST = 200
"""In one category."""
CHARACTERS_AT_MOST = {"phrase": 100, "example": 2000, "name": 100}
NEW_CATEGORY_SHARE = 0.15
"""Prior mass of an added category in terms of a known one's mean: rare until its rules speak."""
_CATEGORY_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class RulesInvalid(ValueError):
    """A configuration that cannot be used; the message is for whoever wrote it."""


class Extension(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The shape of the configuration."""

    categories: tuple[str, ...] = ()
    """New ones."""
    rules: tuple[Rule, ...] = ()
    disable: tuple[str, ...] = ()
    """Names of default rules that are to say nothing."""
    examples: dict[str, tuple[str, ...]] = {}
    """Texts by category, new or known; the learned half compares with them."""


def extend(base: Rulebook, configuration: object) -> Rulebook:
    """``base`` with the configuration's changes. Raises :class:`RulesInvalid`."""
    try:
        extension = msgspec.convert(configuration, Extension)
    except msgspec.ValidationError as error:
        raise RulesInvalid(f"{error}; the fields are categories, rules, disable and examples") from error
    problem = next(_problems(base, extension), None)
    if problem is not None:
        raise RulesInvalid(problem)
    mass = NEW_CATEGORY_SHARE / len(base.priors)
    return compiled(
        [*(rule for rule in base.sources if rule.name not in extension.disable), *extension.rules],
        base.lead_phrases,
        {**base.priors, **dict.fromkeys(extension.categories, mass)},
        {**base.examples, **extension.examples},
    )


def _problems(base: Rulebook, extension: Extension) -> Iterator[str]:
    """What is wrong, one after another; each is written only when the ones before it are not there."""
    known = {*base.categories, *extension.categories}
    yield from _category_problems(base, extension)
    names = {rule.name for rule in base.sources}
    for number, name in enumerate(extension.disable):
        if name not in names:
            yield f"$.disable[{number}]: there is no default rule {name!r}; explain shows the names of those that speak"
    if len(extension.rules) > RULES_AT_MOST:
        yield f"$.rules: {len(extension.rules)} rules; at most {RULES_AT_MOST} are allowed: put several phrases into one"
    taken = names - set(extension.disable)
    for number, rule in enumerate(extension.rules):
        for problem in _rule_problems(rule, known, taken):
            yield f"$.rules[{number}]{problem}"
        taken.add(rule.name)
    ways = sum(check_pattern(rule.pattern) for rule in extension.rules if rule.pattern is not None)
    if ways > WAYS_AT_MOST:
        yield (
            f"$.rules: the patterns can match in {ways} ways together, of which each costs time; at most {WAYS_AT_MOST} are "
            "allowed (a plain pattern has 1, .{0,40} has 41): use phrases, which cost next to nothing"
        )
    for category, examples in extension.examples.items():
        at = f"$.examples.{category}"
        if category not in known:
            yield f"{at}: no such category; add it to categories, or use one of {', '.join(sorted(known))}"
        if len(examples) > EXAMPLES_AT_MOST:
            yield f"{at}: {len(examples)} examples; at most {EXAMPLES_AT_MOST} are allowed"
        for number, text in enumerate(examples):
            if not text.strip() or len(text) > CHARACTERS_AT_MOST["example"]:
                longest = CHARACTERS_AT_MOST["example"]
                yield f"{at}[{number}]: has {len(text)} characters; 1 to {longest} are allowed, not only spaces"


def _category_problems(base: Rulebook, extension: Extension) -> Iterator[str]:
    if len(extension.categories) > CATEGORIES_AT_MOST:
        yield f"$.categories: {len(extension.categories)} categories; at most {CATEGORIES_AT_MOST} can be added"
    for number, name in enumerate(extension.categories):
        if not _CATEGORY_NAME.fullmatch(name):
            yield f"$.categories[{number}]: {name[:80]!r} is no name; use a-z, 0-9 and _, beginning with a letter, 63 at most"
        if name in base.categories or name in extension.categories[:number]:
            yield f"$.categories[{number}]: {name!r} is there already; leave it out, rules may name it"


def _rule_problems(rule: Rule, known: set[str], taken: set[str]) -> Iterator[str]:
    if not 0 < len(rule.name) <= CHARACTERS_AT_MOST["name"]:
        yield f".name: has {len(rule.name)} characters; 1 to {CHARACTERS_AT_MOST['name']} are allowed"
    if rule.name in taken:
        yield f".name: {rule.name!r} is taken; choose another, or disable the default rule of that name"
    if rule.category not in known:
        yield f".category: {rule.category[:80]!r} is none; add it to categories, or use one of {', '.join(sorted(known))}"
    if not 0.01 <= rule.score <= 0.99:
        yield f".score: {rule.score} is no probability between 0.01 and 0.99; 0.9 is a strong rule, 0.5 a hint"
    if rule.believed is not None:
        yield ".believed: only fitting uses it; leave it out"
    if not (rule.phrases or rule.pattern or rule.surface):
        yield ": has no condition; give it phrases, a pattern or surface bounds"
    if not rule.phrases and (rule.followed_by or rule.where is not Where.ANYWHERE):
        yield ": where and followedBy say something of phrases, and there are none; give it phrases, or leave them out"
    if rule.needs and rule.pattern is None:
        yield ".needs: says when the pattern is tried, and there is none; give it one, or leave needs out"
    if not 1 <= rule.within <= 50:
        yield f".within: {rule.within} is not between 1 and 50"
    yield from _phrase_problems(rule)
    if rule.pattern is not None:
        try:
            check_pattern(rule.pattern)
        except PatternRefused as error:
            yield f".pattern: {error}"
    for feature, (low, high) in rule.surface.items():
        if feature not in FEATURE_NAMES:
            yield f".surface.{feature[:80]}: no such feature; there are {', '.join(FEATURE_NAMES)}"
        if low is not None and high is not None and not low <= high:
            yield f".surface.{feature[:80]}: no number lies between {low} and {high}; write the lower bound first"


def _phrase_problems(rule: Rule) -> Iterator[str]:
    longest = CHARACTERS_AT_MOST["phrase"]
    lists = {"phrases": rule.phrases, "followedBy": rule.followed_by, "needs": rule.needs}
    for field, phrases in lists.items():
        if len(phrases) > PHRASES_AT_MOST:
            yield f".{field}: {len(phrases)} entries; at most {PHRASES_AT_MOST} are allowed: make two rules of it"
        for number, text in enumerate(phrases):
            if not 0 < len(text) <= longest:
                yield f".{field}[{number}]: has {len(text)} characters; 1 to {longest} are allowed"
            if field != "needs" and not phrase(text):
                yield f".{field}[{number}]: {text[:longest]!r} has no word in it; use a pattern for signs"
