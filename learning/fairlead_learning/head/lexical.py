"""Which words and which letters a text has, as a sparse vector that needs no vocabulary.

N-grams are hashed into a fixed number of buckets (feature hashing, Weinberger et al. 2009, arXiv 0902.2206), so the features
of a bundle are a function of the text alone and take no memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from zlib import crc32

BUCKETS = 1 << 16
WORD_ORDERS = 2
LETTER_ORDERS = (2, 3, 4, 5)
"""Letters inside a word with its borders, as in scikit-learn's ``char_wb``."""
HEAD_CHARACTERS = 1200
TAIL_CHARACTERS = 400
"""Of a longer text these are looked at; they cost about a millisecond."""

_WORD = re.compile(r"\w+|[^\w\s]")
_LETTERS_AT_MOST = 24


def ngrams(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """How often each bucket occurs, of words and of letters."""
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"
    tokens = _WORD.findall(text.lower())
    words: dict[int, int] = {}
    letters: dict[int, int] = {}
    for gram in _word_grams(tokens):
        bucket = crc32(gram) & (BUCKETS - 1)
        words[bucket] = words.get(bucket, 0) + 1
    for gram in _letter_grams(tokens):
        bucket = crc32(gram, 1) & (BUCKETS - 1)
        letters[bucket] = letters.get(bucket, 0) + 1
    return words, letters


def weights(counts: dict[int, int]) -> dict[int, float]:
    """Sublinear term frequencies, brought to length 1."""
    terms = {bucket: 1.0 + math.log(count) for bucket, count in counts.items()}
    length = math.sqrt(sum(value * value for value in terms.values()))
    return {bucket: value / length for bucket, value in terms.items()}


def _word_grams(tokens: list[str]) -> Iterator[bytes]:
    encoded = [token[:_LETTERS_AT_MOST].encode("utf-8", "replace") for token in tokens]
    yield from encoded
    for first, second in pairwise(encoded):
        yield first + b" " + second


def _letter_grams(tokens: list[str]) -> Iterator[bytes]:
    for token in tokens:
        framed = f" {token[:_LETTERS_AT_MOST]} ".encode("utf-8", "replace")
        size = len(framed)
        for order in LETTER_ORDERS:
            if size <= order:
                yield framed
                break
            for start in range(size - order + 1):
                yield framed[start : start + order]
