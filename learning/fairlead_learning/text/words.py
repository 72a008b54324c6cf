"""A text as rules read it: letters made plain, split into words and the marks that end a sentence.

Compatibility forms, invisible characters between letters, and letters of another alphabet inside a word are taken out
first, so that disguised words are the words they look like. Scripts that put no spaces between words give one word for
each character: a phrase of them is then a sequence like any other.
"""

from __future__ import annotations

import re
import unicodedata

END = "."
"""The word that stands for the end of a sentence or a line, and for a colon."""

_ENDS = frozenset(".!?:;\n。！？：；؟।…")
_COMPATIBILITY = [
    *(0xA0, 0xAA, 0xB2, 0xB3, 0xB9, 0xBA, 0x2026, 0x3000),
    *range(0x2000, 0x200B), *range(0x2070, 0x20A0), *range(0x2100, 0x2150), *range(0x2460, 0x2500), *range(0xFB00, 0x10000),
    *range(0x1D400, 0x1D800), *range(0x1F100, 0x1F1E6),
]  # fmt: skip
"""Where disguised letters are: in other shapes, widths, circles. NFKC of a whole text takes a millisecond and more."""
_INVISIBLE = [
    0xAD,
    0x34F,
    0x61C,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
]
_LONGEST_FORM = 4
"""Characters that stand for one. A few ligatures are whole sentences of up to eighteen; they stay as they are."""
_PLAIN: dict[int, str | None] = {
    **{code: form for code in _COMPATIBILITY if len(form := unicodedata.normalize("NFKC", chr(code))) <= _LONGEST_FORM},
    **dict.fromkeys(_INVISIBLE),
    0x2019: "'",
    0x2018: "'",
    0x201C: '"',
    0x201D: '"',
    0x00: " ",
}
_GROWS_AT_MOST = 200
"""What a text's compatibility forms add beyond this many characters is cut off at its end."""
# Putting marks in order takes time that grows with the square of a run of them.
_MARKS = re.compile(r"([^\x00-\x7f\w\s]{4})[^\x00-\x7f\w\s]+")
# Cyrillic and Greek letters that occur in words and look like Latin ones; after Unicode's confusables.txt.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһкмАВЕКМНОРСТУХІЈЅοανιρτυκχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhkmABEKMHOPCTYXIJSoaviptukxABEZHIKMNOPTYX",
)
_TWO_ALPHABETS = re.compile(r"[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")
_MIXED = re.compile(
    r"(?<![A-Za-z\u0370-\u04ff])(?:[A-Za-z]++[\u0370-\u04ff]|[\u0370-\u04ff]++[A-Za-z])[A-Za-z\u0370-\u04ff]*+"
)
# Scripts without spaces between words, and Hangul, whose particles hang on the word.
_BY_CHARACTER = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Vowel signs are not among Python's word characters; the blocks of India are taken whole but for the danda and digits.
_INDIC = r"\u0900-\u0963\u0970-\u09e3\u0a00-\u0a65\u0a80-\u0ae3\u0b80-\u0be5\u0c00-\u0c65"
_WORD = re.compile(
    rf"[{_INDIC}]+|(?:[^\W\d_{_BY_CHARACTER}{_INDIC}][\u0300-\u036f\u064b-\u065f]*)+|[0-9]+(?:[.,][0-9]+)*|[{_BY_CHARACTER}]"
    r"|[.!?:;…]+(?=\s|$)|[\n。！？：；؟।]\s*"
)


def plain(text: str) -> str:
    """The text in lower case, without disguises."""
    if text.isascii():
        return text.replace("\x00", " ").lower()
    text = unicodedata.normalize("NFC", _MARKS.sub(r"\1", text.translate(_PLAIN)[: len(text) + _GROWS_AT_MOST]))
    if _TWO_ALPHABETS.search(text):
        text = _MIXED.sub(lambda found: found[0].translate(_LOOKALIKES), text)
    return text.lower()


def words(plain_text: str) -> list[str]:
    """Words and numbers in order, with ``END`` between sentences and lines."""
    return [END if word[0] in _ENDS else word for word in _WORD.findall(plain_text)]
