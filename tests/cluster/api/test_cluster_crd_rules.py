"""Every rule over several fields, as the API server judges and words it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.control_plane import ControlPlane
from devcluster.installation import ROOT
from fairlead_crds.kinds import KINDS
from fairlead_kube.errors import KubeError
from tests.cluster.api.api_requests import dry_run
from tests.crds.crd_rule_cases import CASES, RuleCase

Published = tuple[str, str, str]
"""Kind, path as the schema has it (`spec.arms[]`), message."""


def _published_rules(file: Path) -> Iterator[tuple[Published, dict[str, str]]]:
    definition = yaml.safe_load(file.read_text())
    (version,) = definition["spec"]["versions"]
    kind = definition["spec"]["names"]["kind"]

    def walk(node: dict[str, Any], path: str) -> Iterator[tuple[Published, dict[str, str]]]:
        for rule in node.get("x-kubernetes-validations", ()):
            yield (kind, path + rule.get("fieldPath", ""), rule["message"]), rule
        for name, inner in node.get("properties", {}).items():
            yield from walk(inner, f"{path}.{name}".removeprefix("."))
        for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if key in node:
                yield from walk(node[key], path + mark)

    return walk(version["schema"]["openAPIV3Schema"], "")


RULES = {key: rule for file in sorted((ROOT / "crds").glob("*.yaml")) for key, rule in _published_rules(file)}


def _rule_of(kind: str, path: str, message: str) -> Published:
    place = re.sub(r"\[[0-9]+\]", "[]", path)
    (found,) = (key for key in RULES if key[:2] == (kind, place) and key[2].startswith(message))
    return found


BROKEN_BY = {case.name: _rule_of(case.base["kind"], case.path, case.message) for case in CASES}


def _same_rule_elsewhere(rule: Published) -> bool:
    """Blocks such as match and bundle are used in several places and carry their rules along."""
    return any(rule[2] == broken[2] and RULES[rule]["rule"] == RULES[broken]["rule"] for broken in BROKEN_BY.values())


def test_every_published_rule_has_a_case() -> None:
    assert len(RULES) > 50
    assert [rule for rule in RULES if not _same_rule_elsewhere(rule)] == []


def test_no_rule_compares_with_the_object_before() -> None:
    """Such a rule would need cases of an update, which there are none of here."""
    assert [key for key, rule in RULES.items() if "oldSelf" in rule["rule"]] == []


def _tells(said: str, case: RuleCase) -> bool:
    """The API server may name further rules that the same object breaks."""
    kind, message = case.base["kind"], BROKEN_BY[case.name][2]
    mistake = re.escape(f"{case.path}: Invalid value: ") + r"[^:]+: " + re.escape(message)
    return said.startswith(f'{kind}.fairlead.dev "example" is invalid: ') and re.search(mistake, said) is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_the_api_server_accepts_what_keeps_a_rule(api: ControlPlane, kind: str) -> None:
    cases = [case for case in CASES if case.base["kind"] == kind]
    answers = await dry_run(api, [case.accepted_object for case in cases])
    refused = {
        case.name: answer.message for case, answer in zip(cases, answers, strict=True) if isinstance(answer, KubeError)
    }
    assert refused == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_api_server_refuses_what_breaks_a_rule_with_its_message_at_its_field(
    api: ControlPlane, kind: str
) -> None:
    cases = [case for case in CASES if case.base["kind"] == kind]
    answers = await dry_run(api, [case.refused_object for case in cases])
    said = {
        case.name: answer.message if isinstance(answer, KubeError) else "accepted"
        for case, answer in zip(cases, answers, strict=True)
    }
    wrong = {case.name: said[case.name] for case in cases if not _tells(said[case.name], case)}
    assert wrong == {}


async def test_a_person_reads_the_field_and_how_to_mend_it(api: ControlPlane) -> None:
    (case,) = (case for case in CASES if case.name == "limits in order")
    (answer,) = await dry_run(api, [case.refused_object])
    assert isinstance(answer, KubeError)
    assert answer.message == (
        'WorkspaceBudget.fairlead.dev "example" is invalid: spec.limits: Invalid value: "object": '
        "a shorter period must not allow more than a longer one: keep dailyUSD <= weeklyUSD <= monthlyUSD"
    )
