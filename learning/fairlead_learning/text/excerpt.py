"""The part of a text that is looked at."""

from __future__ import annotations

HEAD_CHARACTERS = 800
TAIL_CHARACTERS = 400
"""Instructions stand at one end or the other of what is pasted. All that looks at it on the event loop (surface, rules,
language, traits) takes about a millisecond together for the worst text of this length."""


def excerpt(text: str) -> str:
    """The text, or its head and its tail with a line between them where it is longer than both."""
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"
