"""The JSON Schema of the values. Whatever is not in ``values.yaml`` is refused, so that a misspelt key is no silent wish."""

from __future__ import annotations

from collections.abc import Iterable

from charts.generate.shapes import Schema, shapes
from charts.generate.values import BadValues, Value

_TYPES: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))


def values_schema(values: Iterable[Value]) -> Schema:
    """Of the whole file. Raises ``BadValues``."""
    schema: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart fairlead",
        **_map(values),
    }
    # Helm hands these to every chart that another one depends on.
    schema["properties"]["global"] = {"type": "object", "description": "Values of all charts of a release; not used."}
    return schema


def type_of(value: Value) -> str:
    """In a word, for tables."""
    shape = (value.keywords or {}).get("is")
    if shape is not None:
        return str(shape)
    found = _own(value).get("type", "any")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _map(values: Iterable[Value]) -> Schema:
    return {
        "type": "object",
        "properties": {value.path[-1]: _value(value) for value in values},
        "additionalProperties": False,
    }


def _value(value: Value) -> Schema:
    if value.below:
        return {"description": value.text, **_map(value.below)}
    keywords = dict(value.keywords or {})
    shape = keywords.pop("is", None)
    if shape is None:
        return {"description": value.text, **_own(value)}
    if shape not in shapes():
        raise BadValues(
            f"values.yaml:{value.line}: {value.name}: there is no shape {shape!r} in charts/generate/shapes.py"
        )
    # In full, not by `$ref`: what Helm says of a wrong value then names nothing but the value.
    return {"description": value.text, **shapes()[shape], **keywords}


def _own(value: Value) -> Schema:
    keywords = dict(value.keywords or {})
    if "type" in keywords:
        return keywords
    for kind, name in _TYPES:
        if isinstance(value.default, kind):
            return {"type": name, **keywords}
    raise BadValues(f"values.yaml:{value.line}: {value.name}: `# @` must say its type, or name a shape with `is`")
