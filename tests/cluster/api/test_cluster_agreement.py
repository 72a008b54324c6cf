"""API server and parser accept and refuse the same objects, and read the same from them.

A file that `fairlead validate` passes must not fail in `kubectl apply`, and an object that the API server stores must not
surprise the operator. Where they differ, the parser is the stricter one, and the difference is written down here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pytest

from devcluster.control_plane import ControlPlane
from fairlead_crds.parse import parse_object
from fairlead_kube.errors import KubeError
from tests.cluster.api.api_requests import dry_run, placed, value_at
from tests.crds.crd_objects import FULL, REMOVED, SMALL, Object, with_change
from tests.crds.crd_variants import published_schema, variants

SPACES = (
    "a\u00a0b",
    "/a\u00a0b",
    "/a\u0085b",
    "/a\u000bb",
    "a\u2028b",
    "\ufeffa",
    "https://a/\u00a0",
    "s3://a/\u2003b",
)
LETTERS = ("ſ", "２", "٣", "/é", "https://é.com", "s3://é/a", "a\u0000b", "a\u007fb", "a\r")
DECIMALS = ("-0", "+1", "0.10", "1_000", "100.0", "2.00", "1,5", "0x1", "1e0", "Infinity", "NaN")
URLS = (
    *("https://a.com/%zz", "https://a_b.com", "https://-a.com", "https://a.com.", "HTTPS://a.com", "https://a.com:"),
    *("https://[::1", "https://[zz]", "https://a.com\\@b", "https://a.com/?", "https://a.com/#", "https://a.com:0"),
)
TIMES = (
    *("2026-03-01T23:59:60Z", "2026-02-30T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T00:60:00Z"),
    *("2026-03-01T00:00:00+24:00", "2026-03-01T00:00:00+23:59", "2026-03-01T00:00:00-00:00", "2026-03-01T00:00:00+01"),
    *("2026-03-01T00:00:00+00:60", "2026-03-01 00:00:00Z", "2026-03-01T00:00:00,5Z", "2026-13-01T00:00:00Z"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1969-12-31T23:59:59Z"),
    *("2026-03-01T00:00:00.123456789Z", "2026-03-01T00:00:00.1234567890Z"),
)
NUMBERS = (-0.5, 2**31, 2**63, 2**64, 1e300)


def _further(node: Object, value: Any) -> Iterator[Any]:
    """What is treacherous between Go and Python, beside the bounds that `variants` tries."""
    yield from (None, {"noSuchField": 1})
    match node["type"]:
        case "object" if "properties" in node:
            yield from ({**value, "noSuchField": 1}, {"noSuchField": None})
            yield from ({**value, name: None} for name in value)
        case "array":
            yield [*value, None]
        case "integer":
            yield from NUMBERS
        case "string":
            yield from (*SPACES, *LETTERS, *DECIMALS, *URLS, *TIMES)
            yield from ("😀" * node.get("maxLength", 1), "😀" * (node.get("maxLength", 1) + 1))


def _nodes(schema: Object, value: Any, path: str) -> Iterator[tuple[str, Object, Any]]:
    yield path, schema, value
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            yield from _nodes(schema["properties"][name], inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nodes(schema["items"], item, f"{path}.{index}")


def _changed(document: Object) -> Iterator[tuple[str, Object]]:
    """Both families of variants. Of the many that put the same value under the same bounds, the first."""
    nodes = {path: (node, value) for path, node, value in _nodes(_spec_schema(document), document["spec"], "spec")}
    tried: set[str] = set()

    def is_new(path: str, node: Object, other: Any) -> bool:
        if other is REMOVED:
            return True
        bounds = {key: value for key, value in node.items() if key not in ("description", "default")}
        before = len(tried)
        tried.add(json.dumps([bounds, other]))
        return len(tried) > before

    for numbered, changed in variants(document):
        path = numbered.partition("#")[0]
        if is_new(path, nodes[path][0], value_at(changed, path)):
            yield path, changed
    for path, (node, value) in nodes.items():
        for other in _further(node, value):
            if path != "spec" and is_new(path, node, other):
                yield path, with_change(document, {path: other})


def _spec_schema(document: Object) -> Object:
    schema: Object = published_schema(document["kind"])["properties"]["spec"]
    return schema


def _is_time(document: Object, path: str) -> bool:
    node = _spec_schema(document)
    for part in path.split(".")[1:]:
        node = node["items"] if part.isdigit() else node["properties"][part]
    return node.get("format") == "date-time"


def _is_known_difference(document: Object, path: str, value: Any) -> bool:
    """The API server takes a list for any string with a format (`typeValidator.Validate` of k8s.io/kube-openapi says "a weird
    hack"); the parser, and so the condition Accepted, calls it invalid.
    """
    return isinstance(value, list) and _is_time(document, path)


@pytest.mark.parametrize("name", FULL)
async def test_parser_and_api_server_agree_on_every_variant_of_the_full_objects(api: ControlPlane, name: str) -> None:
    changed = list(_changed(FULL[name]))
    answers = await dry_run(api, [document for _, document in changed])
    differences = []
    for (path, document), answer in zip(changed, answers, strict=True):
        ours = parse_object(placed(document))
        value = value_at(document, path)
        if isinstance(ours, list) != isinstance(answer, KubeError) and not _is_known_difference(document, path, value):
            differences.append((path, value, str(ours) if isinstance(ours, list) else str(answer)))
    assert differences == []
    assert len(changed) > 100
    assert 0 < sum(isinstance(answer, KubeError) for answer in answers) < len(changed)


async def test_what_the_api_server_is_known_to_accept_beyond_the_parser(api: ControlPlane) -> None:
    """If one of these fails, the API server has become stricter: good, take it off."""
    labels = "spec.allowedNamespaces"
    only_there = [
        with_change(FULL["AzureOpenAI provider"], {"spec.models.0.prices.0.effectiveTime": []}),
        with_change(SMALL["ABTest"], {"spec.startTime": ["2026-03-01T00:00:00Z"]}),
        # The keys of a map cannot be described in a structural schema.
        with_change(SMALL["ModelProvider"], {labels: {"from": "Selector", "selector": {"matchLabels": {"a b": "x"}}}}),
        # JSON knows no integers; what is stored is 5.
        with_change(SMALL["ModelProvider"], {"spec.endpoints.0.weight": 5.0}),
        with_change(
            SMALL["ModelProvider"], {labels: {"from": "Selector", "selector": {"matchLabels": {"a": "b", "c": None}}}}
        ),
    ]
    answers = await dry_run(api, only_there)
    for document, answer in zip(only_there, answers, strict=True):
        assert isinstance(parse_object(placed(document)), list)
        assert not isinstance(answer, KubeError), answer
    *_, whole, without_null = answers
    assert isinstance(whole, dict)
    assert isinstance(without_null, dict)
    assert not isinstance(parse_object(whole), list)
    assert not isinstance(parse_object(without_null), list)


async def test_every_mistake_is_told_at_once_and_where_it_is(api: ControlPlane) -> None:
    document = with_change(SMALL["ModelProvider"], {"spec.type": "openai", "spec.models.0.state": "Gone"})
    (answer,) = await dry_run(api, [document])
    ours = parse_object(placed(document))
    assert isinstance(ours, list)
    assert isinstance(answer, KubeError)
    assert [error.path for error in ours] == ["spec.models[0].state", "spec.type"]
    for error in ours:
        assert f"{error.path}: Unsupported value" in answer.message


def test_both_families_of_variants_are_drawn() -> None:
    paths = [path for path, _ in _changed(FULL["learned policy"])]
    assert {"spec.strategy", "spec.targets.0.weight", "spec.learned.bundle.uri"} <= set(paths)


@pytest.mark.parametrize("family", [FULL, SMALL], ids=["full", "small"])
async def test_what_the_api_server_stores_reads_as_what_was_written(
    api: ControlPlane, family: dict[str, Object]
) -> None:
    """Defaults of the schema and of the models are the same, also where the schema leaves one to the models."""
    answers = await dry_run(api, family.values())
    for (name, document), stored in zip_longest(family.items(), answers):
        assert isinstance(stored, dict), (name, stored)
        from_server = parse_object(stored)
        from_file = parse_object({**document, "metadata": stored["metadata"]})
        assert not isinstance(from_server, list), name
        assert from_server == from_file, name
        assert stored["metadata"]["generation"] == 1


async def test_the_api_server_writes_the_defaults_that_people_look_for(api: ControlPlane) -> None:
    (provider, policy, _, budget) = await dry_run(api, SMALL.values())
    assert isinstance(provider, dict)
    assert isinstance(policy, dict)
    assert isinstance(budget, dict)
    assert provider["spec"]["endpoints"][0] | {"url": ""} == {
        "name": "primary",
        "role": "Primary",
        "url": "",
        "weight": 100,
    }
    targets = policy["spec"].pop("targets")
    assert targets[0]["weight"] == 100
    assert policy["spec"] == {
        "match": {"models": ["auto"]},
        "precedence": "Normal",
        "priority": 0,
        "strategy": "Weighted",
        "suspend": False,
    }
    assert budget["spec"] == {"workspace": "ws-marketing-001"}  # a default would claim what is not implemented
