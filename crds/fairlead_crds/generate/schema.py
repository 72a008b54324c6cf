"""From pydantic's JSON schema to the structural schema Kubernetes accepts: no `$ref`, no `anyOf`, no null."""

from __future__ import annotations

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
    model: type[Model], root: str, without_default: Callable[[str], bool] = lambda path: False
) -> Schema:
    """The schema of a model, published at the path `root`; `without_default` names paths whose default is left out."""
    published = model.model_json_schema(by_alias=True, mode="validation")
    return _Flattener(published.get("$defs", {}), without_default).flat(published, root)


class _Flattener:
    def __init__(self, definitions: Schema, without_default: Callable[[str], bool]) -> None:
        self._definitions = definitions
        self._without_default = without_default

    def flat(self, node: Schema, path: str) -> Schema:
        node = self._resolved(node)
        flat = {key: value for key, value in node.items() if key not in _DROPPED}
        if flat.get("default") in (None, []) or self._without_default(path):
            flat.pop("default", None)
        if "description" in flat:
            flat["description"] = " ".join(flat["description"].split())
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

    def _resolved(self, node: Schema) -> Schema:
        """The node with references followed and `| None` taken off; what stands at the field wins over the type."""
        outer = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
        if "$ref" in node:
            return self._resolved(self._definitions[node["$ref"].rpartition("/")[2]]) | outer
        if "anyOf" in node:
            (inner,) = (arm for arm in node["anyOf"] if arm.get("type") != "null")
            return self._resolved(inner) | outer
        return node


def _values_of_map(node: Schema) -> Schema | None:
    if patterns := node.get("patternProperties"):
        (values,) = patterns.values()
        return dict(values)
    values = node.get("additionalProperties")
    return values if isinstance(values, dict) else None
