"""One rule as it is written: in the files of the default rulebook, and in a configuration that extends it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Where(StrEnum):
    """Where in the text phrases are looked for."""

    START = "start"
    """Its first words, or those after a form of politeness: "please", "could you", "hi"."""
    SENTENCE = "sentence"
    """The same of any sentence or line."""
    ANYWHERE = "anywhere"
    WHOLE = "whole"
    """The text is one of the phrases and nothing else, but for politeness before it."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """It speaks when each of the conditions it has holds: phrases, pattern, surface."""

    name: str
    """Unique; stands in records as evidence."""
    category: str
    score: float
    """Probability of the category when this rule alone speaks, between 0 and 1; below the category's prior probability it
    speaks against the category. ``judge.weigh`` says how rules add up."""
    believed: float | None = None
    """The score before data: what fitting starts from and is drawn to. ``None``: the score is by hand and stays."""
    phrases: tuple[str, ...] = ()
    """Words or sequences of words; letter case and punctuation inside do not matter, the end of a sentence does."""
    where: Where = Where.ANYWHERE
    followed_by: tuple[str, ...] = ()
    """One of these phrases must follow in the same sentence …"""
    within: int = 6
    """… with fewer words than this between."""
    pattern: str | None = None
    """A regular expression, searched in the text with disguised letters made plain; ``^`` and ``$`` are ends of lines. Letter
    case does not matter."""
    needs: tuple[str, ...] = ()
    """The pattern is tried only where one of these occurs; spares time. Letter case does not matter."""
    surface: dict[str, tuple[float | None, float | None]] = {}
    """Bounds of surface features, both included; ``null`` for none."""
