"""Small changes that leave the category as it is, so that the head does not learn the habits of one source.

Benchmarks spell well and end with a full stop; people who type do neither.
"""

from __future__ import annotations

import random
from string import ascii_lowercase

OPENINGS = (
    "please ", "hi, ", "hello, ", "hey ", "can you ", "could you please ", "i want you to ", "I need help: ", "Task: ", "Q: ",
)  # fmt: skip
_SWAP, _DROP = 0.4, 0.7
_CHARACTERS_PER_TYPO = 40


def augmented(text: str, draw: random.Random) -> str:
    """The text in lower case, without its last mark, with typos, cut short, or with other first words."""
    choice = draw.random()
    if choice < 0.25:
        return text.lower()
    if choice < 0.4:
        return text.rstrip("?.! ")
    if choice < 0.6:
        return with_typos(text, draw)
    if choice < 0.8:
        return _shortened(text, draw)
    return draw.choice(OPENINGS) + text[:1].lower() + text[1:]


def with_typos(text: str, draw: random.Random) -> str:
    """One slip for every forty characters begun: letters swapped, dropped or replaced inside words."""
    characters = list(text)
    for _ in range(max(1, len(characters) // _CHARACTERS_PER_TYPO)):
        if len(characters) < 2:
            break
        place = draw.randrange(len(characters) - 1)
        if not (characters[place].isalpha() and characters[place + 1].isalpha()):
            continue
        slip = draw.random()
        if slip < _SWAP:
            characters[place], characters[place + 1] = characters[place + 1], characters[place]
        elif slip < _DROP:
            del characters[place]
        else:
            characters[place] = draw.choice(ascii_lowercase)
    return "".join(characters)


def _shortened(text: str, draw: random.Random) -> str:
    """Up to a third of the words gone from one end."""
    words = text.split(" ")
    if len(words) <= 8:
        return text
    cut = draw.randrange(len(words) // 3)
    return " ".join(words[cut:]) if draw.random() < 0.5 else " ".join(words[: len(words) - cut])
