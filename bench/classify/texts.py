"""Prompts of which the rules are not sure, cut out of real ones so that they have an exact number of tokens."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from tokenizers import Tokenizer

from fairlead_learning.hybrid import Thresholds, decided_by_rules
from fairlead_learning.rules import Rulebook, judge
from fairlead_learning.text.surface import surface
from fairlead_learning.train.rows import read_rows

PROMPTS = Path(__file__).resolve().parents[2] / "learning/data/prompts_train.jsonl"
_STRIDE = 12
"""Words between the beginnings of pieces of one prompt."""


def unsure_texts(tokenizer: Tokenizer, tokens: int, count: int) -> list[str]:
    """``count`` different texts of ``tokens`` tokens each, those before and after the text not counted.

    Raises ``ValueError`` if the prompts do not hold as many.
    """
    found: dict[str, None] = {}
    for prompt in _prompts():
        for text in _pieces(tokenizer, prompt, tokens):
            if not _sure(text) and _length(tokenizer, text) == tokens:
                found[text] = None
            if len(found) == count:
                return list(found)
    raise ValueError(f"{PROMPTS} holds {len(found)} texts of {tokens} tokens, {count} are needed")


def sure_texts(count: int) -> list[str]:
    """The first ``count`` prompts on which the rules decide alone."""
    return [text for text in _prompts() if _sure(text)][:count]


def _sure(text: str) -> bool:
    return decided_by_rules(judge(Rulebook.default(), text, surface(text)), Thresholds())


def _prompts() -> Sequence[str]:
    """In no order, else the first would all be of one source."""
    texts = [row.text for row in read_rows([PROMPTS])]
    random.Random(1).shuffle(texts)
    return texts


def _pieces(tokenizer: Tokenizer, prompt: str, tokens: int) -> Iterator[str]:
    encoded = tokenizer.encode(prompt, add_special_tokens=False)
    begins = [0, *(at for at, (one, other) in enumerate(pairwise(encoded.word_ids), start=1) if one != other)]
    ends = {*begins, len(encoded.ids)}
    for begin in begins[::_STRIDE]:
        if begin + tokens in ends:
            yield prompt[encoded.offsets[begin][0] : encoded.offsets[begin + tokens - 1][1]]


def _length(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)
