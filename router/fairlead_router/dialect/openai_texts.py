"""The forms in which requests hold their texts, and how much of one is looked at.

Completions and embeddings take theirs in four: one or several, as words or as token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from fairlead_router.dialect.openai_request import tokens_of
from fairlead_router.errors import invalid_request

Texts = str | list[str | int | list[int]]

_CHARACTERS_PER_TOKEN = 4

_HEAD_CHARACTERS = 8192
_TAIL_CHARACTERS = 4096
"""What is copied of a long text: more than the classifier reads of it, however it cuts."""


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


def first_text(texts: Texts) -> str:
    """An excerpt of the first of ``texts``; empty where they are token ids."""
    first = texts if isinstance(texts, str) else next(iter(texts), "")
    return excerpt((first,)) if isinstance(first, str) else ""


def excerpt(pieces: Sequence[str]) -> str:
    """``pieces`` a line each, or their head and their tail where they are long. Never copies more than that."""
    if sum([len(piece) for piece in pieces]) <= _HEAD_CHARACTERS + _TAIL_CHARACTERS:
        return pieces[0] if len(pieces) == 1 else "\n".join(pieces)
    head, room = [], _HEAD_CHARACTERS
    for piece in pieces:
        head.append(piece[:room])
        room -= len(head[-1])
        if not room:
            break
    tail, room = [], _TAIL_CHARACTERS
    for piece in reversed(pieces):
        tail.append(piece[-room:])
        room -= len(tail[-1])
        if not room:
            break
    return "\n".join((*head, *reversed(tail)))
