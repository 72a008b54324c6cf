"""What a text looks like: lengths, numbers, code, formulas, lists. Counted, not understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from fairlead_learning.text.excerpt import excerpt

_NUMBERS = re.compile(r"(?<![\w.])[$€£]?[0-9][0-9.,]*(?![A-Za-z_(\[])")
_OPTIONS = re.compile(r"(?m)^[ \t]{0,8}\(?([A-Ea-e])[.):](?=\s)")
_ITEMS = re.compile(r"(?m)^[ \t]{0,8}(?:[-*•‣]|[0-9]{1,2}[.)])[ \t]")
_FORMULAS = re.compile(
    r"\\(?:frac|sqrt|sum|int|prod|lim|cdot|times|div|leq?|geq?|neq|pi|theta|alpha|beta|angle|triangle|begin|text|mathb[bf]"
    r"|overline|binom|log|sin|cos)(?![a-z])"
    r"|\\[\[(]|\$[^$\n]{1,80}[\\^_=+{}][^$\n]{0,80}\$|\$[A-Za-z]\$|[A-Za-z0-9)]\^[0-9({]"
)
_CODE_LINES = re.compile(
    r"(?m)^[ \t]{0,24}+(?=\S)(?:"
    r"(?:async )?def \w+ ?\(|class \w+ ?[:({]|from [\w.]+ import |import [\w.{*'\"]+(?: as \w+| from |;|$)|#include ?[<\"]"
    r"|@\w+[(\n.]|using [\w.]+;"
    r"|(?:public|private|protected|static|final|override|export|func|fn|fun|function|sub|module|package|namespace|struct"
    r"|interface|enum|impl|const|let|var|val|void|int|char|double|bool|auto)\b[^.?\n]{0,80}[({=;]"
    r"|(?:if|for|while|elif|else if|switch|catch|try|else)\b ?\(?[^?\n]{0,80}[:{]$|return\b[^?\n]{0,60}(?:;|$)"
    r"|</?[a-z][\w-]*(?: [^<>\n]{0,120})?/?>|>>> |\$ \w|(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|FROM|WHERE) \w"
    r"|[\w.\[\]]{1,40} ?(?:[-+*|]?=|:=|<-) ?[^=\s].{0,80}[)\];'\"}]$|[\w.]{1,40}\([^()\n]{0,80}\);?$|[^\n]{0,100}[;{}]$"
    r"|//|/\*|--[ \w]"
    r")"
)
# Every alternative begins with a sign, and the signs stand in front: the engine skips to them.
_OPERATORS = re.compile(
    r"[-=!<>+*/&|:(\[{_](?:(?<=[-=!<>+*/])=|(?<=[-=])>|(?<=&)&|(?<=\|)\||(?<=:):|(?<=\()\)|(?<=\[)\]|(?<=\{)\}"
    r"|(?<=\w\()\w{1,40}\)|(?<=\w\[)\w{1,40}\]|(?<=[A-Za-z0-9]_)\w|(?<=<)/)"
)
_BY_CHARACTER = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SYMBOLS = b"{}[]()<>=+-*/%&|^~#@$\\_`;"
_DIGITS = b"0123456789"
_CAPITALS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class SurfaceFeatures:
    """Counts of the excerpt; those of characters, words and lines are scaled up to the whole text."""

    characters: int
    words: int
    """Runs between white space, and one for two characters of scripts that write without spaces."""
    lines: int
    sentences: int
    """Full stops, exclamation and question marks, of which dots of numbers are a few."""
    questions: int
    """Question marks of any script."""
    ends_asking: int
    """1 where the last character is a question mark."""
    exclamations: int
    numbers: int
    fences: int
    """Three backticks or tildes."""
    code_lines: int
    """Lines that look like a program's."""
    operators: int
    """Signs of programs in any line: ``==``, ``->``, calls, names with underscores."""
    formulas: int
    """LaTeX commands, formulas between dollars, powers."""
    items: int
    """Lines that begin like one of a list."""
    options: int
    """Lines that begin like one of several answers: ``A.``, ``(b)``."""
    quotes: int
    symbol_share: float
    digit_share: float
    upper_share: float
    """Of Latin capitals without accents."""
    foreign_share: float
    """Of characters beyond ASCII."""
    word_length: float
    """Mean, in characters."""


FEATURE_NAMES = tuple(field.name for field in fields(SurfaceFeatures))


def surface(text: str) -> SurfaceFeatures:
    """Features of any text, in bounded time."""
    part = excerpt(text)
    size = max(len(part), 1)
    word_list = part.split()
    several = "\n" in part
    # Bytes are counted many times faster than characters.
    plain = part.encode("ascii", "ignore")
    foreign = len(part) - len(plain)
    count = len(word_list) + (len(_BY_CHARACTER.findall(part)) // 2 if foreign else 0)
    letters = len("".join(word_list))
    last = part.rstrip()[-1:]
    return SurfaceFeatures(
        characters=len(text),
        words=round(count * len(text) / size),
        lines=round(part.count("\n") * len(text) / size) + 1 if text else 0,
        sentences=part.count(".") + part.count("!") + part.count("?") + part.count("。"),
        questions=part.count("?") + part.count("？") + part.count("؟"),
        ends_asking=int(last in ("?", "？", "؟")),
        exclamations=part.count("!") + part.count("！"),
        numbers=len(_NUMBERS.findall(part)),
        fences=part.count("```") + part.count("~~~"),
        code_lines=len(_CODE_LINES.findall(part)),
        operators=len(_OPERATORS.findall(part)),
        formulas=len(_FORMULAS.findall(part)),
        items=len(_ITEMS.findall(part)) if several else 0,
        options=len(set(_OPTIONS.findall(part))) if several else 0,
        quotes=part.count('"') + part.count("“") + part.count("«"),
        symbol_share=_count(plain, _SYMBOLS) / size,
        digit_share=_count(plain, _DIGITS) / size,
        upper_share=_count(plain, _CAPITALS) / size,
        foreign_share=foreign / size,
        word_length=letters / len(word_list) if word_list else 0.0,
    )


def _count(text: bytes, of: bytes) -> int:
    return len(text) - len(text.translate(None, of))
