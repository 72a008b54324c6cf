"""From pydantic's JSON schema to the structural schema Kubernetes accepts: no `$ref`, no `anyOf`, no null."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fairlead_crds.kinds.common import Model

Schema = dict[str, Any]

# Unknown fields are the API server's business (`fieldValidation`); the rest has no place in a structural schema.
_DROPPED = ("$defs", "title", "additionalProperties", "propertyNames", "patternProperties")
_ORDER = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    "required",
    "properties",
    "additionalProperties",
    "items",
)


def structural_schema(
    model: type[Model],
    root: str,
    without_default: Callable[[str], bool] = lambda path: False,
    *,
    for_explain: bool = False,
) -> Schema:
    """The schema of a model, published at the path `root`; `without_default` names paths whose default is left out.

    `for_explain` adds to the descriptions what `kubectl explain` shows nowhere else: defaults, and what a list may hold.
    """
    published = model.model_json_schema(by_alias=True, mode="validation")
    return _Flattener(published.get("$defs", {}), without_default, for_explain).flat(published, root)


class _Flattener:
    def __init__(self, definitions: Schema, without_default: Callable[[str], bool], for_explain: bool) -> None:
        self._definitions = definitions
        self._without_default = without_default
        self._for_explain = for_explain

    def flat(self, node: Schema, path: str) -> Schema:
        node = self._resolved(node)
        flat = {key: value for key, value in node.items() if key not in _DROPPED}
        default = flat.get("default")
        if default in (None, []) or self._without_default(path):
            flat.pop("default", None)
        if "description" in flat:
            flat["description"] = " ".join(flat["description"].split())
            if self._for_explain:
                flat["description"] += self._choices(node, flat["description"]) + _told(default)
        if flat["type"] == "integer":
            flat["format"] = "int64"
        if "properties" in node:
            flat["properties"] = {
                name: self.flat(inner, f"{path}.{name}") for name, inner in node["properties"].items()
            }
        if "items" in node:
            flat["items"] = self.flat(node["items"], f"{path}[]")
        if values := _values_of_map(node):
            flat["additionalProperties"] = self.flat(values, f"{path}.*")
        if unexpected := sorted(set(flat) - set(_ORDER)):
            raise ValueError(f"{path}: no place in a structural schema for {', '.join(unexpected)}")
        return {key: flat[key] for key in _ORDER if key in flat}

    def _choices(self, node: Schema, description: str) -> str:
        choices = self._resolved(node["items"]).get("enum", ()) if "items" in node else ()
        return "" if all(choice in description for choice in choices) else f" One or more of: {', '.join(choices)}."

    def _resolved(self, node: Schema) -> Schema:
        """The node with references followed and `| None` taken off; what stands at the field wins over the type."""
        outer = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
        if "$ref" in node:
            return self._resolved(self._definitions[node["$ref"].rpartition("/")[2]]) | outer
        if "anyOf" in node:
            (inner,) = (arm for arm in node["anyOf"] if arm.get("type") != "null")
            return self._resolved(inner) | outer
        return node


def _told(default: Any) -> str:
    if default in (None, [], {}, ""):
        return ""
    words = default if isinstance(default, str) else json.dumps(default).replace('"', "")
    return f" Default: {words}."


def _values_of_map(node: Schema) -> Schema | None:
    if patterns := node.get("patternProperties"):
        (values,) = patterns.values()
        return dict(values)
    values = node.get("additionalProperties")
    return values if isinstance(values, dict) else None
