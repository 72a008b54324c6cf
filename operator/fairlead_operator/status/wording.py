"""Sentences made of findings, within the bounds of the fields they are written to."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_crds.compile import Finding

MAX_MESSAGE_CHARACTERS = 4096
"""As the CRDs bound a condition's message."""

_ELLIPSIS = "…"


def told(findings: Sequence[Finding], room: int = MAX_MESSAGE_CHARACTERS) -> str:
    """The first finding with its field, and how many more there are; empty if there are none.

    The number survives however long the first one is: that is cut to the ``room`` in characters.
    """
    if not findings:
        return ""
    first, more = findings[0], len(findings) - 1
    place = f"{first.field}: " if first.field else ""
    rest = f" (and {more} more)" if more else ""
    return cut(f"{place}{first.message}", room - len(rest)) + rest


def cut(text: str, characters: int) -> str:
    """``text`` in at most so many characters, with an ellipsis where something is missing."""
    return text if len(text) <= characters else text[: characters - 1] + _ELLIPSIS


def cut_bytes(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8, no character split."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    return data[: limit - len(_ELLIPSIS.encode())].decode(errors="ignore") + _ELLIPSIS
