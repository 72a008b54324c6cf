"""How demanding a request is, how inventive its answer has to be, and whether code or reasoning are in it.

Complexity is a logistic curve over a few counts; ``traits.json`` has the weights, which ``train.traits`` fits to how often
models fail on prompts of benchmarks. Creativity is that of the category, and more for words that ask for
invention.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import msgspec

from fairlead_learning.categories import ANALYSIS, CODING, CREATIVE_WRITING, GENERAL, MATH
from fairlead_learning.text.excerpt import excerpt
from fairlead_learning.text.surface import SurfaceFeatures

MEDIUM_FROM = 0.25
HARD_FROM = 0.45
"""Of complexity. On the benchmarks it was fitted to, nine open models answer 0.47 of the easy prompts rightly, 0.30 of the
medium and 0.11 of the hard ones; sixteen larger ones 0.87, 0.60 and 0.25 (``train.traits`` prints it)."""

_CREATIVITY = {
    CREATIVE_WRITING: 0.7,
    GENERAL: 0.35,
    ANALYSIS: 0.2,
    CODING: 0.2,
    "chat": 0.3,
    "question": 0.1,
    MATH: 0.05,
}
"""By category, before words are looked at; after the source document, where a poem has 0.9. Others have that of ``general``."""
_CREATIVE_WORD = 0.1
"""For each of at most two words that ask for invention."""
_CREATIVE = re.compile(
    r"\b(?:creative|creatively|beautiful|imagin\w{1,8}|original|unique|fantasy|fiction\w{0,4}|poem|poetic|story|stories"
    r"|invent|funny|humou?r\w{0,4}|whimsical|vivid\w{0,2}|brainstorm|ideas|slogan|lyrics|haiku|metaphors?|character"
    r"|magic\w{0,3}|gedicht|geschichte|poème|histoire|cuento|poema|стих\w{0,6})\b"
)
_REASONING = re.compile(
    r"\b(?:step by step|prove|proof|why|explain (?:your|how|why)|reason(?:ing)?|deduce|infer\w{0,4}|conclude|logically"
    r"|derive|justify|compare|evaluate"
    r"|analy[sz]e|trade-?offs?|pros and cons|cause[sd]?|optimi[sz]e|if and only if|therefore|hence|implies"
    r"|contradict\w{0,5}|debug|strategy|puzzle|beweise|warum|pourquoi|por qué|perché|почему)\b|为什么|なぜ|왜"
)
_ARITHMETIC = re.compile(r"\d ?[-+*/×÷^=] ?\d")


class Difficulty(StrEnum):
    """In three steps of complexity."""

    EASY = "Easy"
    MEDIUM = "Medium"
    HARD = "Hard"


@dataclass(frozen=True, slots=True)
class Traits:
    """Properties of a request that do not follow from its category alone."""

    complexity: float
    """0 to 1."""
    creativity: float
    """0 to 1."""
    difficulty: Difficulty
    contains_code: bool
    needs_reasoning: bool


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the logistic curve."""

    intercept: float
    weights: dict[str, float]
    """By name in ``demands``."""


WEIGHTS = msgspec.json.decode((resources.files("fairlead_learning.text") / "traits.json").read_bytes(), type=Weights)


def traits(text: str, surface: SurfaceFeatures, category: str) -> Traits:
    """Traits of a text with its surface and the category it was given."""
    low = excerpt(text).lower()
    found = complexity(demands(low, surface), WEIGHTS)
    invention = min(len(set(_CREATIVE.findall(low))), 2)
    reasons = _REASONING.search(low) is not None
    return Traits(
        complexity=found,
        creativity=min(1.0, _CREATIVITY.get(category, _CREATIVITY[GENERAL]) + _CREATIVE_WORD * invention),
        difficulty=Difficulty.HARD
        if found >= HARD_FROM
        else Difficulty.MEDIUM
        if found >= MEDIUM_FROM
        else Difficulty.EASY,
        contains_code=surface.fences > 0 or surface.code_lines >= 2 or surface.code_lines == surface.lines == 1,
        needs_reasoning=reasons or (category == MATH and not _is_sum(low, surface)) or found >= HARD_FROM,
    )


def demands(low: str, surface: SurfaceFeatures) -> dict[str, float]:
    """What makes a text demanding, each of the order of one and never less than 0.

    Args:
        low: the text's excerpt in lower case.
        surface: of the same text.
    """
    return {
        "length": math.log1p(surface.words / 20),
        "numbers": math.log1p(surface.numbers),
        "formulas": math.log1p(surface.formulas),
        "symbols": min(surface.symbol_share * 10, 2.0),
        "options": math.log1p(surface.options),
        "items": math.log1p(surface.items),
        "code": math.log1p(surface.code_lines),
        "long_words": max(0.0, min(surface.word_length - 4, 4.0)),
        "reasoning": min(len(_REASONING.findall(low)), 3) / 2,
    }


def complexity(demand: dict[str, float], weights: Weights) -> float:
    """Between 0 and 1; no demand makes a text less complex."""
    return 1 / (1 + math.exp(-weights.intercept - sum(weights.weights[name] * value for name, value in demand.items())))


def _is_sum(low: str, surface: SurfaceFeatures) -> bool:
    """Whether it is a sum that a pocket calculator does."""
    return surface.words <= 12 and surface.formulas == 0 and _ARITHMETIC.search(low) is not None
