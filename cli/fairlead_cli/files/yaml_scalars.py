"""What a plain scalar means, as kubectl understands it.

kubectl reads YAML with go-yaml v2: booleans as in YAML 1.1 (``yes`` and ``on`` are ``true``), integers with any of
Go's prefixes and underscores, floats as in YAML 1.2. Timestamps and sexagesimal numbers are strings there, and here.
"""

from __future__ import annotations

import math
import re

Scalar = bool | int | float | str | None

CORE_TAG = "tag:yaml.org,2002:"
_TYPES_OF_TAGS: dict[str, tuple[type, ...]] = {
    f"{CORE_TAG}bool": (bool,),
    f"{CORE_TAG}int": (int,),
    f"{CORE_TAG}float": (int, float),
    f"{CORE_TAG}null": (type(None),),
}
_TEXT_TAGS = frozenset({"!", f"{CORE_TAG}str", f"{CORE_TAG}timestamp"})

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_LETTERS_OF_WORDS = frozenset("yYnNtTfFoO~.+-")
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"([-+]?)(?:0b([01]+)|0x([0-9a-fA-F]+)|0o?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
_MOST_DIGITS = 400
"""More than any 64-bit integer and any finite float needs; keeps ``int`` off text that takes quadratic time."""


def resolve(text: str, tag: str | None, *, plain: bool) -> Scalar:
    """The value of a scalar as written. Raises ``ValueError`` with a message for people if JSON cannot hold it."""
    if tag in _TEXT_TAGS or (tag is None and not plain):
        return text
    value = resolve_plain(text)
    if tag is not None:
        expected = _TYPES_OF_TAGS.get(tag)
        if expected is None:
            raise ValueError(f"the tag {short_tag(tag)} is not supported")
        if type(value) not in expected:
            raise ValueError(f'"{text}" is no {short_tag(tag)}')
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{text} is no number that JSON can hold; quote it if it is text")
    return value


def short_tag(tag: str) -> str:
    """``!!int`` for YAML's own tags, others as they are."""
    return "!!" + tag.removeprefix(CORE_TAG) if tag.startswith(CORE_TAG) else tag


def resolve_plain(text: str) -> Scalar:
    """The value of ``text`` written without quotes and without a tag."""
    if not text:
        return None
    first = text[0]
    if first in _LETTERS_OF_WORDS and text in _WORDS:
        return _WORDS[text]
    return _number(text) if first in _NUMBER_STARTS else text


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    if len(digits) > _MOST_DIGITS:
        return text
    integer = _INTEGER.fullmatch(digits)
    if integer is not None:
        sign, binary, hexadecimal, octal, decimal = integer.groups()
        value = next(
            int(part, base)
            for part, base in ((binary, 2), (hexadecimal, 16), (octal, 8), (decimal, 10))
            if part is not None
        )
        value = -value if sign == "-" else value
        return value if _INT64_MIN <= value <= _UINT64_MAX else _as_float(value)
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_kubectl_key(text: str) -> str | None:
    """What kubectl makes of ``text`` as an unquoted key; ``None`` when it refuses it."""
    value = resolve_plain(text)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return str(value)
