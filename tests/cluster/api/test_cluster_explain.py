"""`kubectl explain` is the handbook that is always at hand: every field says what it means, in what unit, and its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from devcluster.control_plane import ControlPlane
from fairlead_crds.generate.schema import structural_schema
from fairlead_crds.kinds import KINDS
from tests.crds.crd_objects import Object

UNITS = {
    "Milliseconds": r"millisecond",
    "Seconds": r"second",
    "Hours": r"hour",
    "Percent": r"percent|share|0–1",
    "USD": r"US dollar",
    "Tokens": r"token",
    "Characters": r"character",
}


def _fields(schema: Object, path: str) -> Iterator[tuple[str, Object]]:
    node = schema.get("items", schema)
    for name, inner in node.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from _fields(inner, f"{path}.{name}")


def _own_fields(kind: str) -> dict[str, Object]:
    """All below spec and status, with the defaults of the models."""
    whole = KINDS[kind]
    return {
        path: node
        for root, model in (("spec", whole.spec), ("status", whole.status))
        for path, node in _fields(structural_schema(model, root), root)
    }


async def _published(api: ControlPlane, kind: str) -> dict[str, Object]:
    """What the API server tells kubectl, by path."""
    document = json.loads(await api.kubectl("get", "--raw", "/openapi/v3/apis/fairlead.dev/v1alpha1"))
    schema = document["components"]["schemas"][f"dev.fairlead.v1alpha1.{kind}"]
    return {path.removeprefix("."): node for path, node in _fields(schema, "")}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_field_can_be_explained(api: ControlPlane, kind: str) -> None:
    published = await _published(api, kind)
    fields = _own_fields(kind)
    assert set(fields) <= set(published)
    assert [path for path in fields if not published[path].get("description", "").strip()] == []
    overview = await api.kubectl("explain", KINDS[kind].plural, "--recursive")
    assert f"KIND:       {kind}" in overview
    named = set(re.findall(r"^ +([A-Za-z0-9]+)\t<", overview, re.MULTILINE))
    assert {path.rpartition(".")[2] for path in fields} <= named


@pytest.mark.parametrize("kind", KINDS)
async def test_a_field_with_a_default_says_so_in_words_as_kubectl_shows_nothing_else(
    api: ControlPlane, kind: str
) -> None:
    published = await _published(api, kind)
    with_default = [
        path
        for path, node in _own_fields(kind).items()
        if path.startswith("spec.") and node.get("default") not in (None, {})
    ]
    assert with_default
    assert [path for path in with_default if "Default: " not in published[path]["description"]] == []


@pytest.mark.parametrize("kind", ["ModelProvider", "RoutingPolicy"])
async def test_a_list_of_choices_names_them_as_kubectl_shows_them_for_single_fields_only(
    api: ControlPlane, kind: str
) -> None:
    published = await _published(api, kind)
    choices = {
        path: node["items"]["enum"] for path, node in _own_fields(kind).items() if "enum" in node.get("items", {})
    }
    assert choices
    assert [
        path for path, all_ in choices.items() if any(one not in published[path]["description"] for one in all_)
    ] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_number_with_a_unit_in_its_name_says_the_unit_in_words(api: ControlPlane, kind: str) -> None:
    published = await _published(api, kind)
    silent = []
    for path in _own_fields(kind):
        unit = next((words for unit, words in UNITS.items() if path.endswith(unit)), None)
        if unit and not path.endswith(".contentLengthCharacters"):
            text = published[path]["description"]
            if not re.search(unit, text, re.IGNORECASE) and not text.startswith("Replaces the provider's "):
                silent.append(f"{path}: {text}")
    assert silent == []


@pytest.mark.parametrize(
    ("field", "lines"),
    [
        ("mprov.spec.endpoints.weight", ["Share among endpoints of the same role", "Default: 100."]),
        ("mprov.spec.timeouts.connectSeconds", ["Seconds to resolve, connect and finish the TLS", "Default: 2."]),
        ("rpol.spec.strategy", ["ENUM:", "Weighted", "How one of the targets is chosen. Default: Weighted."]),
        ("rpol.spec.targets.weight", ["Share under strategy Weighted", "Default: 100."]),
        ("rpol.spec.match.models", ["Default: [auto]."]),
        (
            "rpol.spec.fallbacks.on",
            ["Error, Timeout, RateLimited, ContextWindow, ContentPolicy", "Quote this key in YAML"],
        ),
        ("abt.spec.analysis.alphaPercent", ["Default: 5."]),
        ("wsb.spec.timeZone", ["IANA time zone", "Default: UTC."]),
        ("wsb.spec.rateLimits", ["windowSeconds <integer> -required- Length of the window in seconds."]),
    ],
)
async def test_what_people_look_up_reads_well(api: ControlPlane, field: str, lines: list[str]) -> None:
    said = " ".join((await api.kubectl("explain", field)).split())
    assert [line for line in lines if line not in said] == []
