"""Reads ``values.yaml`` with its comments, which say what a value means and what it may be.

Above each key stand lines of prose, and then perhaps one line ``# @ …`` in YAML's flow style: keywords of JSON Schema, or
``is: NAME`` for a shape of ``charts.generate.shapes``. An empty list or map needs such a line, as nothing else says what it
takes; a map that has one is a leaf, whatever its default holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class BadValues(ValueError):
    """The file cannot be understood; the message says where and how to mend it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A key of the file."""

    path: tuple[str, ...]
    line: int
    """From 1."""
    text: str
    """What it means, in one paragraph."""
    default: Any
    keywords: Mapping[str, Any] | None
    """From the line ``# @``; ``None`` if there is none."""
    below: tuple[Value, ...]
    """The keys of a map that is no leaf."""

    @property
    def name(self) -> str:
        """As ``--set`` has it."""
        return ".".join(self.path)

    def leaves(self) -> Iterator[Value]:
        """Whatever may be set here and below, in order."""
        if not self.below:
            yield self
        for each in self.below:
            yield from each.leaves()


def read_values(path: Path) -> tuple[Value, ...]:
    """The top-level keys. Raises :class:`BadValues`."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise BadValues(f"{path.name}: there must be a map at the top")
    return _Reader(path.name, text.splitlines()).keys(root, ())


class _Reader:
    def __init__(self, file: str, lines: list[str]) -> None:
        self._file = file
        self._lines = lines

    def keys(self, node: yaml.MappingNode, above: tuple[str, ...]) -> tuple[Value, ...]:
        return tuple(self._value(key, value, above) for key, value in node.value)

    def _value(self, key: yaml.ScalarNode, node: yaml.Node, above: tuple[str, ...]) -> Value:
        path, line = (*above, str(key.value)), key.start_mark.line
        text, keywords = self._comment(line, path)
        default = yaml.SafeLoader("").construct_document(node)
        below: tuple[Value, ...] = ()
        if keywords is None:
            if isinstance(node, yaml.MappingNode) and node.value:
                below = self.keys(node, path)
            elif default is None or default in ({}, []):
                raise self._bad(line, path, "nothing says what it takes: add a line such as `# @ is: strings`")
            elif isinstance(default, list):
                raise self._bad(line, path, "nothing says what its items are: add a line such as `# @ is: texts`")
        return Value(path, line + 1, text, default, keywords, below)

    def _comment(self, line: int, path: tuple[str, ...]) -> tuple[str, dict[str, Any] | None]:
        prose: list[str] = []
        keywords: dict[str, Any] | None = None
        for above in reversed(self._lines[:line]):
            stripped = above.strip()
            if not stripped.startswith("#"):
                break
            if stripped.startswith("# @"):
                if keywords is not None or prose:
                    raise self._bad(line, path, "there may be one line `# @`, directly above the key")
                keywords = self._keywords(line, path, stripped.removeprefix("# @").strip())
            else:
                prose.insert(0, stripped.lstrip("#").strip())
        if not any(prose):
            raise self._bad(line, path, "say in a comment above it what it means")
        return " ".join(prose), keywords

    def _keywords(self, line: int, path: tuple[str, ...], text: str) -> dict[str, Any]:
        try:
            found = yaml.safe_load(text if text.startswith("{") else "{" + text + "}")
        except yaml.YAMLError as error:
            raise self._bad(line, path, f"`# @ {text}` is no YAML") from error
        assert isinstance(found, dict)
        return found

    def _bad(self, line: int, path: tuple[str, ...], what: str) -> BadValues:
        return BadValues(f"{self._file}:{line + 1}: {'.'.join(path)}: {what}")
