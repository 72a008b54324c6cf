"""What the rules say of one text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead_learning.rules.phrases import PhraseIndex
from fairlead_learning.rules.rule import Where
from fairlead_learning.rules.rulebook import CompiledRule, Rulebook
from fairlead_learning.text.excerpt import excerpt
from fairlead_learning.text.surface import SurfaceFeatures
from fairlead_learning.text.words import END, plain, words

REPEATED = 0.25
"""Of 0.25, 0.5 and 1 the one whose confidence is best calibrated on sources left out (``train.rules``)."""
_HEAD_WORDS, _TAIL_WORDS = 220, 110
"""As many as an excerpt has of a text with spaces; of scripts that write without, and of single letters, it has more."""
_LEADS_AT_MOST = 12
"""Phrases of politeness skipped one after another."""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """The most probable category by the rules."""

    category: str
    confidence: float
    """Probability that the category is right; the prior one where nothing spoke."""
    scores: dict[str, float]
    """Probability of each category; they sum to 1."""
    evidence: tuple[str, ...]
    """Names of the rules that spoke for the category, the strongest first; empty: nothing is known."""
    priors: Mapping[str, float]
    """Probability of each category before any rule spoke."""


def judge(rulebook: Rulebook, text: str, surface: SurfaceFeatures) -> RuleVerdict:
    """The verdict on any text. ``surface`` is that of the same text. Bounded time; never raises."""
    return weigh(rulebook, speaking(rulebook, text, surface))


def speaking(rulebook: Rulebook, text: str, surface: SurfaceFeatures) -> list[CompiledRule]:
    """The rules whose conditions hold."""
    low = plain(excerpt(text))
    heard = _heard(rulebook, _head_and_tail(words(low)))
    found = []
    for number in sorted(heard.union(rulebook.without_phrases)):
        rule = rulebook.rules[number]
        if rule.surface and not rule.fits(surface):
            continue
        if rule.search is not None and not (
            (not rule.needs or any(map(low.__contains__, rule.needs))) and rule.search(low)
        ):
            continue
        found.append(rule)
    return found


def weigh(rulebook: Rulebook, rules: Sequence[CompiledRule]) -> RuleVerdict:
    """Prior odds times the odds of each rule that spoke, as by naive Bayes, but rules of one category repeat one another: the
    strongest counts in full and each other to the power of ``REPEATED``."""
    sums = dict(rulebook.log_priors)
    strongest: dict[str, float] = {}
    for rule in rules:
        sums[rule.category] += REPEATED * rule.weight
        strongest[rule.category] = max(rule.weight, strongest.get(rule.category, rule.weight))
    for category, weight in strongest.items():
        sums[category] += (1 - REPEATED) * weight
    top = max(sums.values())
    masses = {category: math.exp(value - top) for category, value in sums.items()}
    total = sum(masses.values())
    scores = {category: mass / total for category, mass in masses.items()}
    category = max(scores, key=scores.__getitem__)
    own = sorted(
        (rule for rule in rules if rule.category == category and rule.weight > 0), key=lambda rule: -rule.weight
    )
    return RuleVerdict(category, scores[category], scores, tuple(rule.name for rule in own), rulebook.priors)


def _head_and_tail(text: list[str]) -> list[str]:
    return text if len(text) <= _HEAD_WORDS + _TAIL_WORDS else [*text[:_HEAD_WORDS], END, *text[-_TAIL_WORDS:]]


def _heard(rulebook: Rulebook, text: list[str]) -> set[int]:
    """Numbers of the rules one of whose phrases stands where it should."""
    if not text:
        return set()
    starts, sentences = _starts(rulebook.leads, text)
    end_of_text = len(text)
    while end_of_text and text[end_of_text - 1] == END:
        end_of_text -= 1
    heard: set[int] = set()
    for start, word in enumerate(text):
        if not rulebook.phrases.begins(word):
            continue
        for number, end in rulebook.phrases.at(text, start):
            if number in heard:
                continue
            rule = rulebook.rules[number]
            if rule.where is Where.ANYWHERE:
                stands = True
            elif rule.where is Where.SENTENCE:
                stands = start in sentences
            else:
                stands = start in starts and (rule.where is Where.START or end == end_of_text)
            if stands and (rule.followers is None or _follows(rule.followers, rule.within, text, end)):
                heard.add(number)
    return heard


def _starts(leads: PhraseIndex, text: list[str]) -> tuple[set[int], set[int]]:
    """Positions where the text begins (before and after each lead), and where any sentence does."""
    starts: set[int] = set()
    sentences: set[int] = set()
    begins = True
    for first in (0, *(position + 1 for position, word in enumerate(text) if word == END)):
        own = _after_leads(leads, text, first)
        sentences.update(own)
        if begins:
            starts.update(own)
            # A greeting that is a sentence of its own is passed over too: what follows it begins the text as well.
            begins = len(own) > 1 and own[-1] < len(text) and text[own[-1]] == END
    return starts, sentences


def _after_leads(leads: PhraseIndex, text: list[str], first: int) -> list[int]:
    """``first``, and the position after each form of politeness from there on."""
    own = [first]
    while own[-1] < len(text) and len(own) <= _LEADS_AT_MOST:
        found = leads.at(text, own[-1])
        if not found:
            break
        own.append(max(end for _, end in found))
    return own


def _follows(followers: PhraseIndex, within: int, text: list[str], end: int) -> bool:
    for position in range(end, min(end + within, len(text))):
        if text[position] == END:
            return False
        if followers.at(text, position):
            return True
    return False
