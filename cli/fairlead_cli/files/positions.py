"""Where each value of a document stands in its file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_INDEX = re.compile(r"\[(\d+)\]")
_BRACKETED_KEY = re.compile(r"\[['\"]?([^\]'\"]+)['\"]?\]")


@dataclass(slots=True)
class Position:
    """A place, from 1, and the places of what is inside.

    A tree rather than a map from paths: an alias shares the tree of its anchor, so that positions take no more room
    than the text. A mapping's entry stands where its key is, because that is what a reader looks for.
    """

    line: int
    column: int
    entries: dict[str, Position] = field(default_factory=dict)
    items: list[Position] = field(default_factory=list)

    def find(self, path: str) -> Position:
        """The place of ``spec.targets[0].modelRef``, or of the nearest parent that the file has."""
        place = self
        rest = path
        while rest:
            step = place._step(rest)
            if step is None:
                return place
            place, rest = step
        return place

    def _step(self, path: str) -> tuple[Position, str] | None:
        if index := _INDEX.match(path):
            number = int(index[1]) if len(index[1]) < 10 else len(self.items)
            return (self.items[number], path[index.end() :]) if number < len(self.items) else None
        if bracketed := _BRACKETED_KEY.match(path):
            entry = self.entries.get(bracketed[1])
            return None if entry is None else (entry, path[bracketed.end() :])
        path = path.removeprefix(".")
        # Keys may hold dots themselves (annotations do): the longest key that fits is meant.
        for end in sorted({*(match.start() for match in re.finditer(r"[.\[]", path)), len(path)}, reverse=True):
            entry = self.entries.get(path[:end])
            if entry is not None:
                return entry, path[end:]
        return None
