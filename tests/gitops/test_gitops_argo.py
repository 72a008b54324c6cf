"""What Argo CD says of our objects and offers to do with them, run by its own Lua machine as its server runs it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.crds.crd_objects import SMALL
from tests.gitops.argo_cases import HEALTH, JUST_NOW
from tests.gitops.argo_files import CONFIG_MAP, LAYOUT, out_of_date
from tests.gitops.judge import Judge, JudgeFailed

KINDS = [LAYOUT / "fairlead.dev" / kind for kind in SMALL]


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def _health_tests() -> list[Any]:
    return [
        pytest.param(folder / test["inputPath"], test["healthStatus"], id=f"{folder.name}/{test['inputPath']}")
        for folder in KINDS
        for test in _read(folder / "health_test.yaml")["tests"]
    ]


def _action_tests(part: str) -> list[Any]:
    return [
        pytest.param(folder / "actions", test, id=f"{folder.name}/{test.get('action', '')}/{test['inputPath']}")
        for folder in KINDS
        for test in _read(folder / "actions" / "action_test.yaml")[part]
    ]


@pytest.fixture(scope="module")
def config_map() -> dict[str, str]:
    """The data of argocd-cm."""
    data: dict[str, str] = _read(CONFIG_MAP)["data"]
    return data


def test_what_is_generated_is_up_to_date() -> None:
    assert out_of_date() == []


def test_there_is_a_case_of_every_health_for_every_kind() -> None:
    for kind in SMALL:
        told = {case.health for case in HEALTH if kind in case.kinds}
        assert told == {"Healthy", "Progressing", "Degraded", "Suspended"}


@pytest.mark.parametrize("folder", KINDS, ids=lambda folder: folder.name)
def test_argocd_cm_says_what_the_layout_of_argo_cd_says(folder: Path, config_map: dict[str, str]) -> None:
    kind = folder.name
    assert config_map[f"resource.customizations.health.fairlead.dev_{kind}"] == (folder / "health.lua").read_text()
    actions = yaml.safe_load(config_map[f"resource.customizations.actions.fairlead.dev_{kind}"])
    assert actions["discovery.lua"] == (folder / "actions" / "discovery.lua").read_text()
    in_layout = {path.parent.name: path.read_text() for path in (folder / "actions").glob("*/action.lua")}
    assert {each["name"]: each["action.lua"] for each in actions["definitions"]} == in_layout


@pytest.mark.parametrize(("path", "expected"), _health_tests())
def test_the_health_of_an_object_is(
    path: Path, expected: dict[str, str], judge: Judge, config_map: dict[str, str]
) -> None:
    assert judge.health(_read(path), config_map) == expected


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
def test_patience_does_not_depend_on_the_time_zone_of_argo_cd(zone: str, config_map: dict[str, str]) -> None:
    judge = Judge({"TZ": zone})
    unresolved = next(case for case in HEALTH if case.name == "degraded_unresolved").of_kind("RoutingPolicy")
    for seconds, expected in ((20, "Progressing"), (100, "Degraded")):
        for condition in unresolved["status"]["conditions"]:
            condition["lastTransitionTime"] = _ago(seconds)
        assert judge.health(unresolved, config_map)["status"] == expected
    judge.close()


def test_a_condition_that_has_just_changed_gives_what_is_missing_its_time_anew(
    judge: Judge, config_map: dict[str, str]
) -> None:
    """A key that arrives after an hour: the references are found now, the routers do not have it yet."""
    late = next(case for case in HEALTH if case.name == "degraded_rolling_out").of_kind("ModelProvider")
    references = next(each for each in late["status"]["conditions"] if each["type"] == "ResolvedRefs")
    references["lastTransitionTime"] = JUST_NOW
    assert judge.health(late, config_map)["status"] == "Progressing"


@pytest.mark.parametrize(("folder", "test"), _action_tests("discoveryTests"))
def test_the_actions_offered_are(folder: Path, test: dict[str, Any], judge: Judge, config_map: dict[str, str]) -> None:
    offered = judge.actions(_read(folder / test["inputPath"]), config_map)
    assert [{"disabled": False, **each} for each in offered] == test["result"]


@pytest.mark.parametrize(("folder", "test"), _action_tests("actionTests"))
def test_an_action_changes_annotations_and_nothing_else(
    folder: Path, test: dict[str, Any], judge: Judge, config_map: dict[str, str]
) -> None:
    before, after = _read(folder / test["inputPath"]), _read(folder / test["expectedOutputPath"])
    patch = judge.patch(before, config_map, test["action"])
    assert set(patch) == {"metadata"}
    assert set(patch["metadata"]) == {"annotations"}
    assert _merged(before, patch) == after


@pytest.mark.parametrize("action", ["pause", "resume"])
@pytest.mark.parametrize("kind", SMALL)
def test_an_action_leaves_empty_blocks_and_numbers_of_a_spec_as_they_are(
    kind: str, action: str, judge: Judge, config_map: dict[str, str]
) -> None:
    """Lua knows neither integers nor the difference between an empty list and an empty map."""
    annotations = {"fairlead.dev/paused": "true", "other": ""} if action == "resume" else {}
    metadata = {"name": "x", "generation": 2**40, "labels": {}, "annotations": annotations}
    spec = {
        "match": {},
        "list": [],
        "nested": [{"empty": {}, "none": []}],
        "zero": 0,
        "big": 1_000_000_000_000,
        "no": False,
    }
    live = {**SMALL[kind], "metadata": metadata, "spec": spec}
    patch = judge.patch(live, config_map, action)
    expected = {"fairlead.dev/paused": "true" if action == "pause" else None}
    assert patch == {"metadata": {"annotations": expected}}


def test_an_action_that_is_not_there_is_an_error(judge: Judge, config_map: dict[str, str]) -> None:
    with pytest.raises(JudgeFailed):
        judge.patch(SMALL["ABTest"], config_map, "promote")


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
