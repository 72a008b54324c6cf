"""The four forms in which completions and embeddings take their texts: one or several, as words or as token ids."""

from __future__ import annotations

from typing import cast

import msgspec

from fairlead_router.dialect.openai_request import tokens_of
from fairlead_router.errors import invalid_request

Texts = str | list[str | int | list[int]]

_CHARACTERS_PER_TOKEN = 4


class Measure(msgspec.Struct, frozen=True):
    """How much text there is."""

    count: int
    characters: int
    """Of text given as token ids: estimated."""
    tokens: int
    """Of text given as words: estimated."""


def measure(texts: Texts, param: str) -> Measure:
    """Raises ``RouterError`` 400 for none at all, or for a mixture of forms."""
    if isinstance(texts, str):
        return Measure(1, len(texts), tokens_of(len(texts)))
    if not texts:
        raise invalid_request(f"'{param}' is empty; send at least one text", param=param)
    kinds = {type(text) for text in texts}
    if len(kinds) > 1:
        raise invalid_request(f"'{param}' mixes texts and token ids; send one form", param=param)
    if kinds == {int}:
        return Measure(1, len(texts) * _CHARACTERS_PER_TOKEN, len(texts))
    lengths = [len(text) for text in cast("list[str | list[int]]", texts)]
    if kinds == {str}:
        return Measure(len(texts), sum(lengths), sum([tokens_of(length) for length in lengths]))
    return Measure(len(texts), sum(lengths) * _CHARACTERS_PER_TOKEN, sum(lengths))
