"""FieldError: what is wrong with one field, in words for the person who wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Location = tuple[str | int, ...]


class ErrorReason(StrEnum):
    """What kind of mistake a FieldError reports."""

    REQUIRED = "Required"
    UNKNOWN_FIELD = "UnknownField"
    WRONG_TYPE = "WrongType"
    INVALID_VALUE = "InvalidValue"
    DUPLICATE = "Duplicate"
    RULE = "Rule"
    UNKNOWN_VERSION = "UnknownVersion"
    UNKNOWN_KIND = "UnknownKind"
    NOT_IMPLEMENTED = "NotImplemented"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake: where (`spec.targets[0].modelRef.model`), of which kind, and how to mend it.

    `path` is empty for the object itself.
    """

    path: str
    reason: ErrorReason
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def path_of(location: Sequence[str | int]) -> str:
    """`("spec", "targets", 0, "name")` → `spec.targets[0].name`.

    Keys that are not plain words are quoted in brackets.
    """
    path = ""
    for part in location:
        if isinstance(part, int) and not isinstance(part, bool):
            path += f"[{part}]"
        elif _PLAIN.fullmatch(str(part)):
            path += f".{part}" if path else str(part)
        else:
            shown = ascii(str(part))[1:-1].replace('"', '\\"')
            path += f'["{shown if len(shown) <= 80 else shown[:77] + "..."}"]'
    return path


def sort_key(location: Sequence[str | int]) -> tuple[tuple[int, int, str], ...]:
    """Sorts paths as people read them: `targets[2]` before `targets[10]`."""
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, str(part)) for part in location)
