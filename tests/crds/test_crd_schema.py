"""The published schema: complete, bounded, and of one mind with the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from fairlead_crds.errors import ErrorReason
from fairlead_crds.generate.crd import custom_resource_definition
from fairlead_crds.kinds import KINDS
from fairlead_crds.parse import parse_object
from tests.crds.crd_objects import FULL, SMALL, Object, with_change
from tests.crds.crd_rule_cases import CASES
from tests.crds.crd_variants import published_schema, variants

NODE_KEYS = {
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
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
}

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return datetime.fromisoformat(value).tzinfo is not None


def nodes(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_description(kind: str) -> None:
    fields = [(path, node) for path, node in nodes(published_schema(kind)) if not path.endswith("[]")]
    bare = [path for path, node in fields if not node.get("description") and path != ".metadata"]
    assert bare == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_list_map_and_number_is_bounded(kind: str) -> None:
    unbounded = []
    for path, node in nodes(published_schema(kind)):
        wanted = {
            "string": {"maxLength"} if "enum" not in node else set(),
            "array": {"maxItems"},
            "integer": {"minimum", "maximum"},
            "object": {"maxProperties"} if "additionalProperties" in node else set(),
            "boolean": set(),
        }[node["type"]]
        if not wanted <= set(node):
            unbounded.append(path)
    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_structural(kind: str) -> None:
    for path, node in nodes(published_schema(kind)):
        assert set(node) <= NODE_KEYS, path
        assert isinstance(node["type"], str), path
        assert "default" not in node or "required" not in node or node["default"] == {}, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_says_how_it_merges_and_its_keys_are_always_there(kind: str) -> None:
    for path, node in nodes(published_schema(kind)):
        if node["type"] != "array":
            continue
        shape = node["x-kubernetes-list-type"]
        assert shape in ("map", "set", "atomic"), path
        if shape == "map":
            items = node["items"]
            for key in node["x-kubernetes-list-map-keys"]:
                assert key in items["required"] or "default" in items["properties"][key], path
        if shape == "set":
            assert node["items"]["type"] in ("string", "integer"), path


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_named_objects_are_maps_by_name(kind: str) -> None:
    for path, node in nodes(published_schema(kind)):
        if node["type"] == "array" and "name" in node["items"].get("properties", {}):
            assert node["x-kubernetes-list-map-keys"] == ["name"], path


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_carries_a_message_and_points_at_a_field_that_exists(kind: str) -> None:
    for path, node in nodes(published_schema(kind)):
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["rule"], path
            assert 0 < len(rule["message"]) <= 2048, path
            assert rule.get("fieldPath", ".").removeprefix(".") in {"", *node["properties"]}, path


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_have_the_shape_all_tools_read(kind: str) -> None:
    status = published_schema(kind)["properties"]["status"]["properties"]
    conditions = status["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(conditions["items"]["required"]) == {"type", "status", "reason", "message", "lastTransitionTime"}
    assert status["observedGeneration"]["type"] == "integer"


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_shows_whether_an_object_is_live_and_what_it_does(kind: str) -> None:
    spec = custom_resource_definition(KINDS[kind])["spec"]
    (version,) = spec["versions"]
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns[-3:] == ["Ready", "Reason", "Age"]
    assert version["subresources"] == {"status": {}}
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["categories"] == ["fairlead"]
    assert spec["names"]["shortNames"] == [
        {"ModelProvider": "mprov", "RoutingPolicy": "rpol", "ABTest": "abt", "WorkspaceBudget": "wsb"}[kind]
    ]


def test_the_server_writes_no_default_that_would_claim_an_unimplemented_field() -> None:
    spec = published_schema("WorkspaceBudget")["properties"]["spec"]["properties"]
    assert "default" not in spec["onExceeded"]
    assert "default" not in spec["timeZone"]
    policy = published_schema("RoutingPolicy")["properties"]["spec"]["properties"]
    assert policy["match"]["default"] == {}
    assert policy["match"]["properties"]["models"]["default"] == ["auto"]


def _for_python(schema: Any) -> Any:
    """In Python `$` also matches before a final line break; in Go and Rust it does not."""
    if isinstance(schema, list):
        return [_for_python(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: re.sub(r"\$(?=$|\|)", r"\\Z", value) if key == "pattern" and isinstance(value, str) else _for_python(value)
        for key, value in schema.items()
    }


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_for_python(published_schema(kind)), format_checker=FORMATS)


def _schema_accepts(document: Object) -> bool:
    """Types and bounds as the schema states them, without rules, list keys and unknown fields."""
    return bool(_validator(document["kind"]).is_valid(document))


def _models_accept(document: Object) -> bool:
    """Whether the models complain about nothing that the plain schema could see."""
    result = parse_object(document)
    beyond = {ErrorReason.RULE, ErrorReason.DUPLICATE, ErrorReason.UNKNOWN_FIELD}
    return not isinstance(result, list) or all(error.reason in beyond for error in result)


@pytest.mark.parametrize("name", FULL)
def test_the_schema_accepts_the_full_objects(name: str) -> None:
    assert _schema_accepts(FULL[name])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_schema_leaves_rules_to_the_rules(case: Any) -> None:
    assert _schema_accepts(case.accepted_object)
    assert _schema_accepts(case.refused_object)


@pytest.mark.parametrize("name", FULL)
def test_schema_and_models_agree_on_types_and_bounds(name: str) -> None:
    disagreements = [
        path for path, document in variants(FULL[name]) if _schema_accepts(document) != _models_accept(document)
    ]
    assert disagreements == []


def test_schema_and_models_agree_that_a_spec_is_needed() -> None:
    for document in SMALL.values():
        assert not _schema_accepts({key: value for key, value in document.items() if key != "spec"})
        assert not _schema_accepts(with_change(document, {"spec": []}))
