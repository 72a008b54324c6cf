"""Small edits of YAML text that leave everything around them as people wrote it: comments, order, quotes, other documents.

A value is put in at the place that the parser says a node has. The parser here is PyYAML's own, which gives such places; what
the text means is for ``yaml_documents`` to say, so whoever edits reads the result again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import yaml

from fairlead_cli.files.yaml_scalars import CORE_TAG, resolve_plain


class NotEditable(Exception):
    """The text is written in a way that these edits do not know. Says what to do instead."""


def find_object(text: str, kind: str, namespace: str, name: str, default_namespace: str) -> yaml.MappingNode:
    """The node of one object, also where it stands in a ``kind: List``. Raises :class:`NotEditable`."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise NotEditable("its file is written in an unusual way; edit it by hand") from error
    for node in _objects(documents):
        metadata = child(node, "metadata")
        if not isinstance(metadata, yaml.MappingNode) or _text(child(node, "kind")) != kind:
            continue
        found = _text(child(metadata, "namespace")) or default_namespace
        if (found, _text(child(metadata, "name"))) == (namespace, name):
            return node
    raise NotEditable("its place in the file was not found; edit the file by hand")


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of ``key`` in a mapping."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if _text(name) == key:
                return value  # type: ignore[no-any-return]
    return None


def append_item(text: str, sequence: yaml.SequenceNode, value: Any, *, json: bool) -> str:
    """``text`` with one more item at the end of ``sequence``."""
    written = _flow(value, json=json)
    if sequence.flow_style:
        if not sequence.value:
            return _insert(text, sequence.start_mark.index + 1, written)
        return _insert(text, _last(sequence.value[-1]).end_mark.index, f", {written}")
    indent = " " * sequence.start_mark.column
    return _insert_line(text, sequence, f"{indent}- {written}")


def set_key(text: str, mapping: yaml.MappingNode, key: str, value: Any, *, json: bool) -> str:
    """``text`` with ``key`` of ``mapping`` holding ``value``, be the key there or not."""
    written = _flow(value, json=json)
    for label, present in mapping.value:
        if _text(label) == key:
            rest = text[_last(present).end_mark.index :]
            if _is_beside(label, present):
                return text[: present.start_mark.index] + written + rest
            return f"{text[: label.end_mark.index]}: {written}{rest}"
    name = _flow(key, json=json)
    if mapping.flow_style:
        return _insert(text, _last(mapping.value[-1][1]).end_mark.index, f", {name}: {written}")
    return _insert_line(text, mapping, f"{' ' * mapping.start_mark.column}{name}: {written}")


def _objects(nodes: Sequence[yaml.Node]) -> Iterator[yaml.MappingNode]:
    for node in nodes:
        if not isinstance(node, yaml.MappingNode):
            continue
        items = child(node, "items")
        if _text(child(node, "kind")) == "List" and isinstance(items, yaml.SequenceNode):
            yield from _objects(items.value)
        else:
            yield node


def _text(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _is_beside(key: yaml.Node, value: yaml.Node) -> bool:
    """Whether there is a value, and its text begins on the line of its key: that of a block begins below."""
    return key.end_mark.line == value.start_mark.line and value.start_mark.index < value.end_mark.index


def _last(node: yaml.Node) -> yaml.Node:
    """The node at which the text of ``node`` really ends: a block has its end mark where the next thing begins."""
    while not getattr(node, "flow_style", True) and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def _insert(text: str, place: int, words: str) -> str:
    return text[:place] + words + text[place:]


def _insert_line(text: str, block: yaml.Node, line: str) -> str:
    """Below the last line of ``block``."""
    end = _last(block).end_mark
    if end.column == 0 and end.index:  # a block of text ends where the next line begins
        return _insert(text, end.index, f"{line}\n")
    stop = text.find("\n", end.index)
    if stop < 0:
        return f"{text}\n{line}\n"
    if text[stop - 1] == "\r":
        return _insert(text, stop - 1, f"\r\n{line}")
    return _insert(text, stop, f"\n{line}")


def _flow(value: Any, *, json: bool) -> str:
    """``value`` on one line."""
    if json:
        return msgspec.json.encode(value).decode()
    written = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=1 << 20, sort_keys=False, allow_unicode=True
    )
    return str(written).removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    """Leaves out quotes only where kubectl, too, reads text without them: to it ``y`` and ``1e3`` are none."""


def _quoted_where_needed(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isprintable() and resolve_plain(text) == text
    return dumper.represent_scalar(f"{CORE_TAG}str", text, style=None if plain else '"')


_Dumper.add_representer(str, _quoted_where_needed)
