"""Every leaf of a full object, moved to its bounds and just beyond them, as the schema states them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead_crds.generate.crd import custom_resource_definition
from fairlead_crds.kinds import KINDS
from tests.crds.crd_objects import REMOVED, Object, with_change

Path = tuple[str | int, ...]


def published_schema(kind: str) -> Object:
    """The schema as the API server gets it."""
    (version,) = custom_resource_definition(KINDS[kind])["spec"]["versions"]
    schema: Object = version["schema"]["openAPIV3Schema"]
    return schema


def variants(document: Object) -> Iterator[tuple[str, Object]]:
    """The object with one value changed at a time, to something that may be valid or not."""
    schema = published_schema(document["kind"])["properties"]["spec"]
    for path, node, value in _walk(schema, document["spec"], ()):
        dotted = "spec" + "".join(f".{part}" for part in path)
        for number, other in enumerate(_others(node, value)):
            yield f"{dotted}#{number}", with_change(document, {dotted: other})


def _walk(schema: Object, value: Any, path: Path) -> Iterator[tuple[Path, Object, Any]]:
    if path:
        yield path, schema, value
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            yield from _walk(schema["properties"][name], inner, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(schema["items"], item, (*path, index))


def _others(node: Object, value: Any) -> Iterator[Any]:
    yield from ([], {}, 5, 1.5, True, "", "no such value", "ümläut", REMOVED)
    match node["type"]:
        case "integer":
            low, high = node["minimum"], node["maximum"]
            yield from (low - 1, low, high, high + 1, str(value))
        case "string":
            length = node.get("maxLength", 1)
            yield from (
                "a" * length,
                "a" * (length + 1),
                f" {value}",
                f"{value}\n",
                f"{value} ",
                value.upper(),
                "9" * length,
            )
            yield from (
                "0",
                "1.5",
                "1.",
                ".5",
                "-1",
                "01",
                "1e3",
                "0.0000001",
                "100",
                "100.1",
                "2.5",
                "a-b",
                "-ab",
                "a.b",
                "a/b",
                "a:b",
            )
            yield from (
                "2026-03-01T00:00:00Z",
                "2026-03-01t00:00:00.123z",
                "2026-03-01",
                "2026-03-01T00:00:00",
                "file:///a",
                "file://a/b",
            )
            yield from (
                "http://x",
                "https://a:b@c",
                "en",
                "EN",
                "pt-BR",
                "Europe/Berlin",
                "sha256:" + "0" * 64,
                "2024-10-21-preview",
            )
        case "array":
            yield [value[0]] * 2 if value else []
            yield [value[0]] * (node["maxItems"] + 1) if value else []
            yield [None]
