"""Bytes of a file → text for the YAML parser, and the parser's complaints → problems a person can act on."""

from __future__ import annotations

import re

import yaml

from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity

MAX_FILE_BYTES = 10 * 1024 * 1024

_JSON_SURROGATE_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class UnreadableText(Exception):
    """The text, or the rest of it, cannot be understood. Never leaves this folder: it becomes a problem."""

    def __init__(self, line: int, column: int, reason: ProblemReason, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.reason, self.message = line, column, reason, message

    def as_problem(self, file: str) -> Problem:
        """What is shown of it."""
        return Problem(file, self.line, self.column, ProblemSeverity.ERROR, self.reason, self.message)


def decode(data: bytes, *, json: bool) -> str:
    """The text of ``data``. Raises :class:`UnreadableText`."""
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableText(
            0, 0, ProblemReason.LIMIT_EXCEEDED, f"the file is larger than {MAX_FILE_BYTES >> 20} MiB; split it"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from None
    # JSON writes characters beyond the basic plane as two escapes, which YAML does not know.
    return _JSON_SURROGATE_PAIR.sub(_join_surrogates, text) if json else text


def _not_utf8(data: bytes, offset: int) -> UnreadableText:
    before = data[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    hint = "it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte 0x{data[offset]:02x}"
    return UnreadableText(line, column, ProblemReason.ENCODING, f"the file is not UTF-8 ({hint}); save it as UTF-8")


def _join_surrogates(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """The parser's ``error`` about ``text``, with its place."""
    line, column, message = 0, 0, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
            if _is_tab(text, line, column) and "cannot start any token" in message:
                message = "a tab cannot indent in YAML; use spaces"
    elif isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the character {text[error.position : error.position + 1]!r} is not allowed in YAML"
    return Problem(file, line, column, ProblemSeverity.ERROR, ProblemReason.SYNTAX, message)


def _is_tab(text: str, line: int, column: int) -> bool:
    lines = text.splitlines()
    return line <= len(lines) and lines[line - 1][column - 1 : column] == "\t"
