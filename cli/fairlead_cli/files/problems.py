"""Problems: what is wrong with files, as opposed to findings, which are about objects."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ProblemSeverity(StrEnum):
    """``Error``: something in the file is not in force. ``Warning``: probably not as meant. ``Note``: good to know."""

    ERROR = "Error"
    WARNING = "Warning"
    NOTE = "Note"


class ProblemReason(StrEnum):
    """Why a file, or a part of it, could not be used as written."""

    UNREADABLE = "Unreadable"
    ENCODING = "Encoding"
    SYNTAX = "Syntax"
    LIMIT_EXCEEDED = "LimitExceeded"
    DUPLICATE_KEY = "DuplicateKey"
    AMBIGUOUS_KEY = "AmbiguousKey"
    UNSUPPORTED_VALUE = "UnsupportedValue"
    NOT_AN_OBJECT = "NotAnObject"
    UNKNOWN_KIND = "UnknownKind"
    IGNORED_KIND = "IgnoredKind"
    DUPLICATE_OBJECT = "DuplicateObject"
    INVALID_METADATA = "InvalidMetadata"
    INVALID_SECRET = "InvalidSecret"  # noqa: S105
    COMPILER_FAILED = "CompilerFailed"


class Problem(msgspec.Struct, frozen=True, order=True):
    """One problem and its place. Sorts by file and place."""

    file: str
    line: int
    """From 1; 0 when it is about the file as a whole."""
    column: int
    """From 1; 0 when it is about the file as a whole."""
    severity: ProblemSeverity
    reason: ProblemReason
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity.lower()}: {self.message} [{self.reason}]"
