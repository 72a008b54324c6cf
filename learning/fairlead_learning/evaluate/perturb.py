"""Changes that leave the category of a request as it is: how often does a classifier change its mind?"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from fairlead_learning.train.augment import with_typos

Change = Callable[[str, random.Random], str]

_MARKS = re.compile(r"[.,;:!?…]+(?=\s|$)")
_POLITE = (
    ("Could you please help me with this? ", " Thank you!"),
    ("Hello! I would be grateful for your help. ", ""),
    ("Please, ", " Thanks in advance."),
    ("", " Many thanks for your help, I appreciate it."),
)
_ASKING = re.compile(r"^(?:can|could|would|will) you (?:please |kindly )?(?=[a-z])(.*?)\?(?=\s|$)", re.I | re.S)
_CONTRACTIONS = (
    ("what is", "what's"),
    ("who is", "who's"),
    ("where is", "where's"),
    ("how is", "how's"),
    ("that is", "that's"),
    ("it is", "it's"),
    ("there is", "there's"),
    ("i am", "i'm"),
    ("you are", "you're"),
    ("i have", "i've"),
    ("i will", "i'll"),
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("is not", "isn't"),
    ("are not", "aren't"),
    ("cannot", "can't"),
    ("should not", "shouldn't"),
)
_VERBS: Mapping[str, str] = MappingProxyType(
    {
        "write": "compose",
        "create": "make",
        "generate": "produce",
        "explain": "clarify",
        "describe": "depict",
        "summarize": "sum up",
        "summarise": "sum up",
        "list": "enumerate",
        "give": "provide",
        "find": "determine",
        "calculate": "work out",
        "compute": "work out",
        "solve": "work out",
        "classify": "categorize",
        "identify": "point out",
        "extract": "pull out",
        "compare": "contrast",
        "suggest": "propose",
        "implement": "code up",
        "prove": "show",
        "evaluate": "assess",
        "name": "state",
    }
)
_STARTS = frozenset((*_VERBS, *(other.partition(" ")[0] for other in _VERBS.values())))


_CONTRACTED = dict(_CONTRACTIONS) | {short: long for long, short in _CONTRACTIONS}
_CONTRACTION = re.compile(rf"\b(?:{'|'.join(map(re.escape, _CONTRACTED))})\b", re.I)
_VERB = re.compile(rf"(?:(?<=[.!?:\n] )|(?<=\n)|^)(?:{'|'.join(_VERBS)})\b", re.I)
"""At the beginning of a sentence: there it is an instruction."""


def typos(text: str, draw: random.Random) -> str:
    """One slip in forty characters."""
    return with_typos(text, draw)


def lower_case(text: str, draw: random.Random) -> str:
    """As people type who are in a hurry."""
    return text.lower()


def without_marks(text: str, draw: random.Random) -> str:
    """No marks at the ends of words; those inside of numbers, names and code stay."""
    return _MARKS.sub("", text)


def polite(text: str, draw: random.Random) -> str:
    """With words that ask for nothing."""
    before, after = draw.choice(_POLITE)
    return f"{before}{text}{after}"


def reworded(text: str, draw: random.Random) -> str:
    """Requests as questions and questions as requests, other verbs of instruction, contractions made or undone."""
    text = _VERB.sub(lambda found: _alike(found[0], _VERBS), text)
    text = _CONTRACTION.sub(lambda found: _alike(found[0], _CONTRACTED), text)
    asking = _ASKING.match(text)
    if asking is not None:
        rest = asking[1]
        return f"{rest[:1].upper()}{rest[1:]}.{text[asking.end() :]}"
    first = text.partition(" ")[0]
    if first.lower() in _STARTS and "\n" not in text.strip():
        return f"Can you {text[:1].lower()}{text[1:].rstrip('. ')}?"
    return text


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "typos": typos,
        "lower case": lower_case,
        "no punctuation": without_marks,
        "politeness": polite,
        "other words": reworded,
    }
)


def changed(change: Change, texts: Sequence[str], *, seed: int) -> list[str]:
    """Each text changed; the same seed gives the same texts."""
    draw = random.Random(seed)
    return [change(text, draw) for text in texts]


def _alike(found: str, other: Mapping[str, str]) -> str:
    """The other wording, with a capital where there was one."""
    word = other[found.lower()]
    return word[:1].upper() + word[1:] if found[:1].isupper() else word
