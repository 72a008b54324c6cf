"""YAML text → plain data with the place of every field. Never raises for what stands in a file.

The parser's events are read rather than its composed nodes, so that the limits hold before memory is spent: nesting and
size are counted as events arrive, and an alias counts as often as it is expanded. Values mean what they mean to
kubectl (see ``yaml_scalars``); keys differ on purpose: an unquoted ``on:`` stays ``on`` here, with a warning, because
kubectl would read ``true``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from fairlead_cli.files.positions import Position
from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity
from fairlead_cli.files.yaml_scalars import CORE_TAG, Scalar, as_kubectl_key, resolve, short_tag
from fairlead_cli.files.yaml_text import UnreadableText, decode, syntax_problem

MAX_NODES = 200_000
MAX_DEPTH = 100

_MERGE_KEY = "<<"


@dataclass(frozen=True, slots=True)
class Document:
    """One object as plain JSON data, and where its fields are."""

    value: dict[str, Any]
    position: Position


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """Everything one file holds."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: bool = False
    """The text ends in the middle, or cannot be read at all: what it was meant to hold is unknown."""


def load_documents(data: bytes, file: str) -> LoadedFile:
    """All objects of ``data``; ``file`` is what problems call it. ``kind: List`` is taken apart."""
    try:
        text = decode(data, json=file.endswith(".json"))
    except UnreadableText as error:
        return LoadedFile(problems=(error.as_problem(file),), broken=True)
    return _Loader(text, file).load()


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    position: Position
    nodes: int
    height: int
    """Levels below it; aliases of aliases must not nest deeper than text may."""


class _Loader:
    """Reads one text, once."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._nodes = 0
        self._deepest = 0
        self._anchors: dict[str, _Anchored] = {}
        self._problems: list[Problem] = []
        self._errors = 0
        self._events: Any = None

    def load(self) -> LoadedFile:
        documents: list[Document] = []
        broken = False
        try:
            self._events = yaml.CSafeLoader(self._text)
            while not self._events.check_event(yaml.StreamEndEvent):
                if not isinstance(self._next(), yaml.DocumentStartEvent):
                    continue
                self._anchors = {}
                errors = self._errors
                value, position = self._node(0)
                found = list(self._objects(value, position))
                if self._errors == errors:
                    documents += found
        except UnreadableText as error:
            broken = True
            self._problems.append(error.as_problem(self._file))
        except yaml.YAMLError as error:
            broken = True
            self._problems.append(syntax_problem(error, self._text, self._file))
        return LoadedFile(tuple(documents), tuple(self._problems), broken)

    def _next(self) -> Any:
        return self._events.get_event()

    # ------------------------------------------------------------------------------------------ objects

    def _objects(self, value: Any, position: Position) -> Iterator[Document]:
        if value is None:
            return
        if not isinstance(value, dict):
            self._error(
                position,
                ProblemReason.NOT_AN_OBJECT,
                f"a document must be a mapping with apiVersion, kind and metadata, this one is {_describe(value)}",
            )
        elif value.get("kind") == "List":
            yield from self._list_items(value, position)
        else:
            yield Document(value, position)

    def _list_items(self, value: dict[str, Any], position: Position) -> Iterator[Document]:
        items = value.get("items")
        if items is None:
            return
        if not isinstance(items, list):
            self._error(
                position.find("items"),
                ProblemReason.NOT_AN_OBJECT,
                f"items of a List must be a list, this is {_describe(items)}",
            )
            return
        for item, place in zip(items, position.find("items").items, strict=True):
            yield from self._objects(item, place)

    # ------------------------------------------------------------------------------------------ nodes

    def _node(self, depth: int, event: Any = None) -> tuple[Any, Position]:
        event = self._next() if event is None else event
        position = _place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), position, depth)
        nodes_before, deepest_before = self._nodes, self._deepest
        self._count(1, position)
        self._deepest = 0
        self._descend(depth, position)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, position)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_collection_tag(event, position, "seq")
            value = self._sequence(depth, position)
        else:
            self._check_collection_tag(event, position, "map")
            value = self._mapping(depth, position)
        if event.anchor is not None:
            height = self._deepest - depth
            self._anchors[event.anchor] = _Anchored(value, position, self._nodes - nodes_before, height)
        self._deepest = max(deepest_before, self._deepest)
        return value, position

    def _alias(self, anchor: str, place: Position, depth: int) -> tuple[Any, Position]:
        anchored = self._anchors.get(anchor)
        if anchored is None:
            self._stop(place, ProblemReason.SYNTAX, f"*{anchor} refers to an anchor that is not defined before it")
        self._count(anchored.nodes, place)
        self._descend(depth + anchored.height, place)
        return anchored.value, Position(place.line, place.column, anchored.position.entries, anchored.position.items)

    def _sequence(self, depth: int, position: Position) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            value, place = self._node(depth + 1, event)
            values.append(value)
            position.items.append(place)
        return values

    def _mapping(self, depth: int, position: Position) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[tuple[Any, Position]] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = _place(event)
            is_merge = isinstance(event, yaml.ScalarEvent) and event.value == _MERGE_KEY and event.implicit[0]
            key = None if is_merge else self._key(event, depth)
            value, inside = self._node(depth + 1)
            if is_merge:
                merged.append((value, inside))
            elif key in values:
                self._error(
                    place,
                    ProblemReason.DUPLICATE_KEY,
                    f'the key "{key}" is here twice; first in line {position.entries[key].line}',
                )
            elif key is not None:
                values[key] = value
                position.entries[key] = Position(place.line, place.column, inside.entries, inside.items)
        for value, inside in merged:
            self._merge(values, position, value, inside)
        return values

    def _merge(self, values: dict[str, Any], position: Position, value: Any, inside: Position) -> None:
        sources = zip(value, inside.items, strict=True) if isinstance(value, list) else [(value, inside)]
        for source, place in sources:
            if not isinstance(source, dict):
                self._error(place, ProblemReason.SYNTAX, "<< takes a mapping or a list of mappings")
                continue
            for key, entry in source.items():
                if key not in values:
                    values[key] = entry
                    position.entries[key] = place.entries[key]

    def _key(self, event: Any, depth: int) -> str | None:
        place = _place(event)
        if not isinstance(event, yaml.ScalarEvent):
            value, _ = self._node(depth + 1, event)
            if not isinstance(event, yaml.AliasEvent) or not isinstance(value, str):
                self._error(place, ProblemReason.UNSUPPORTED_VALUE, f"a key must be text, this is {_describe(value)}")
                return None
            return value
        self._count(1, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(event.value, place, 1, 0)
        text: str = event.value
        if event.implicit[0] and event.tag is None:
            for_kubectl = as_kubectl_key(text)
            if not text:
                self._error(place, ProblemReason.SYNTAX, "a key is missing before the colon")
            elif for_kubectl != text:
                reading = "refuse this key" if for_kubectl is None else f"read this key as `{for_kubectl}`"
                self._report(
                    place,
                    ProblemSeverity.WARNING,
                    ProblemReason.AMBIGUOUS_KEY,
                    f'kubectl would {reading}; quote it: "{text}"',
                )
        return text

    def _scalar(self, event: Any, position: Position) -> Scalar:
        try:
            return resolve(event.value, event.tag, plain=event.implicit[0])
        except ValueError as error:
            self._error(position, ProblemReason.UNSUPPORTED_VALUE, str(error))
            return None

    def _check_collection_tag(self, event: Any, position: Position, name: str) -> None:
        if event.tag not in (None, "!", CORE_TAG + name):
            self._error(position, ProblemReason.UNSUPPORTED_VALUE, f"the tag {short_tag(event.tag)} is not supported")

    # ------------------------------------------------------------------------------------------ limits and problems

    def _descend(self, depth: int, place: Position) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            self._stop(place, ProblemReason.LIMIT_EXCEEDED, f"nested deeper than {MAX_DEPTH} levels")

    def _count(self, nodes: int, place: Position) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(
                place,
                ProblemReason.LIMIT_EXCEEDED,
                f"more than {MAX_NODES} values with all aliases expanded; split the file or drop the aliases",
            )

    def _stop(self, place: Position, reason: ProblemReason, message: str) -> NoReturn:
        raise UnreadableText(place.line, place.column, reason, message)

    def _error(self, place: Position, reason: ProblemReason, message: str) -> None:
        self._errors += 1
        self._report(place, ProblemSeverity.ERROR, reason, message)

    def _report(self, place: Position, severity: ProblemSeverity, reason: ProblemReason, message: str) -> None:
        self._problems.append(Problem(self._file, place.line, place.column, severity, reason, message))


def _place(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _describe(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a boolean", type(None): "empty"}
    return names.get(type(value), "a number")
