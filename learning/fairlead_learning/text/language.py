"""Which natural language a text is in.

The script settles languages that have one of their own. Others are told by their commonest words and by letters that few
others use, in ``languages.json``: each word counts for the languages that have it, shared out among them. That needs no
package, microseconds, and a few kilobytes; detectors on PyPI that were as good on short texts bring a C++ extension
and a model file of a megabyte or more, or load a pickle.
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import resources

import msgspec

from fairlead_learning.text.excerpt import excerpt

LETTERS_AT_LEAST = 2
"""Fewer than this say nothing of a script."""
EVIDENCE_AT_LEAST = 0.5
"""Weight of one word that two languages have."""
_CHARACTERS = 512
"""More of a text does not make it clearer."""


class _Profiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[str, tuple[str, ...]]
    letters: dict[str, str]
    scripts: dict[str, str]


_PROFILES = msgspec.json.decode(
    (resources.files("fairlead_learning.text") / "languages.json").read_bytes(), type=_Profiles
)
_SCRIPTS = {language: re.compile(f"[{letters}]") for language, letters in _PROFILES.scripts.items()}
_WIDER = (("ja", "zh"), ("ur", "ar"), ("fa", "ar"))
_CYRILLIC = ("ru", "uk", "bg")
_CYRILLIC_LETTER = re.compile(r"[\u0400-\u04ff]")
_WORD = re.compile(r"'(?:s|t|m|d|ll|re|ve)\b|[^\W\d_]+")
"""What English puts after an apostrophe would alone be a word of others."""
_CODE = re.compile(r"(?s)```.*?(?:```|\Z)|^[^\n]*[;{}]$|https?://\S{1,200}", re.MULTILINE)


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    owners: dict[str, list[str]] = {}
    for language, words in _PROFILES.words.items():
        for word in words:
            owners.setdefault(word, []).append(language)
    return {word: tuple((language, 1 / len(of)) for language in of) for word, of in owners.items()}


_WORDS = _weights()
_LETTERS = {
    letter: tuple(language for language, letters in _PROFILES.letters.items() if letter in letters)
    for letter in set("".join(_PROFILES.letters.values()))
}


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the language, or ``None`` where there are too few words to tell: numbers, emoji, names, bare code."""
    part = excerpt(text)
    prose = _CODE.sub(" ", part)[:_CHARACTERS].lower().replace("\u2019", "'")
    return (None if prose.isascii() else _by_script(prose)) or _by_words(prose)


def _by_script(prose: str) -> str | None:
    """The language whose script most of the letters are of."""
    counts = {language: len(pattern.findall(prose)) for language, pattern in _SCRIPTS.items()}
    for language, shared in _WIDER:
        # Kana stand in no Chinese text, and a Japanese one has as many Han characters; so with letters that Arabic lacks.
        if counts[language]:
            counts[language] += counts[shared]
            counts[shared] = 0
    latin = sum(map(str.isalpha, prose)) - sum(counts.values())
    best = max(counts, key=counts.__getitem__)
    # A Latin word has several letters where Chinese has one character: names and code in between do not outweigh it.
    return best if counts[best] >= LETTERS_AT_LEAST and counts[best] * 3 >= latin else None


def _by_words(prose: str) -> str | None:
    scores: defaultdict[str, float] = defaultdict(float)
    for word in _WORD.findall(prose):
        for language, weight in _WORDS.get(word, ()):
            scores[language] += weight
    if not prose.isascii():
        for letter in set(prose) & _LETTERS.keys():
            for language in _LETTERS[letter]:
                scores[language] += 1 / len(_LETTERS[letter])
    if not prose.isascii() and len(_CYRILLIC_LETTER.findall(prose)) * 3 >= sum(map(str.isalpha, prose)) > 1:
        # Russian is told by the lack of what the others have.
        scores = defaultdict(float, {language: scores[language] for language in _CYRILLIC})
        scores[_CYRILLIC[0]] += EVIDENCE_AT_LEAST
    if not scores:
        return None
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= EVIDENCE_AT_LEAST else None
