"""Whether a regular expression from outside is safe to search in texts from anybody.

Python's engine tries one way to match after another. The number of ways that an expression has, at each place of a text, is
bounded from its parse tree: sequences multiply, alternatives add, repetitions add up the powers. ``(a+)+`` has no bound and
``.*`` one as large as the text; both are refused. ``.{0,80}`` has 81.
"""

from __future__ import annotations

import re
import warnings

# The standard library's own parser; it has been under this name since 3.11, and no public one gives the tree.
from re import _constants as parts  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

WAYS_AT_MOST = 100
"""In one pattern. Each way costs up to 20 microseconds for the worst text of the length that rules look at."""
LENGTH_AT_MOST = 200


class PatternRefused(ValueError):
    """Says what is wrong with a pattern and how to mend it."""


def check_pattern(pattern: str) -> int:
    """In how many ways the pattern can match at one place, or more; what it may cost is in proportion.

    Raises :class:`PatternRefused` for what does not compile, might take long, or is found in every text.
    """
    if len(pattern) > LENGTH_AT_MOST:
        raise PatternRefused(
            f"has {len(pattern)} characters; at most {LENGTH_AT_MOST} are allowed: make several rules of it"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
            tree = parser.parse(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise PatternRefused(f"is not a regular expression of Python's re module: {error}") from error
    if tree.getwidth()[0] == 0:
        raise PatternRefused("matches where nothing is, and so in every text: let it ask for at least one character")
    ways = _ways(tree)
    if ways > WAYS_AT_MOST:
        raise PatternRefused(
            "can match in too many ways and might take long on some texts: bound its repetitions, as in .{0,40} for "
            ".*, and put no repetition or alternative inside another repetition"
        )
    return int(ways)


def _ways(tree: Any) -> float:
    """Upper bound of the ways in which a sequence can match at one place; infinite where it has none that is small."""
    ways = 1.0
    for kind, value in tree:
        ways *= _ways_of(kind, value)
        if ways > WAYS_AT_MOST:
            return float("inf")
    return ways


def _ways_of(kind: Any, value: Any) -> float:
    if kind in (parts.MAX_REPEAT, parts.MIN_REPEAT, parts.POSSESSIVE_REPEAT):
        least, most, inner = value
        return _ways_of_repeat(int(least), int(most), _ways(inner))
    if kind is parts.BRANCH:
        return sum(_ways(branch) for branch in value[1])
    if kind is parts.SUBPATTERN:
        return _ways(value[-1])
    if kind is parts.ATOMIC_GROUP:
        return _ways(value)
    if kind in (parts.ASSERT, parts.ASSERT_NOT):
        return _ways(value[1])
    if kind in (parts.GROUPREF, parts.GROUPREF_EXISTS, parts.GROUPREF_IGNORE):
        raise PatternRefused("refers back to a group, which can take long: write the alternatives out")
    return 1.0


def _ways_of_repeat(least: int, most: int, inner: float) -> float:
    if most - least > WAYS_AT_MOST or most > 1000:
        return float("inf")
    ways = 0.0
    for count in range(least, most + 1):
        ways += inner**count if inner == 1.0 or count < 20 else float("inf")
    return ways
