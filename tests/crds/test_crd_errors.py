"""What people are told about their mistakes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml

from fairlead_crds.errors import ErrorReason, path_of
from fairlead_crds.parse import parse_object
from tests.crds.crd_objects import MODEL_REF, REMOVED, SMALL, with_change

POLICY = SMALL["RoutingPolicy"]
PROVIDER = SMALL["ModelProvider"]
BUDGET = SMALL["WorkspaceBudget"]


def errors_of(document: Any) -> list[str]:
    result = parse_object(document)
    assert isinstance(result, list)
    return [str(error) for error in result]


CASES: list[tuple[str, Any, dict[str, Any], str]] = [
    (
        "an unknown field gets a suggestion",
        PROVIDER,
        {"spec.endpoint": []},
        (
            "spec.endpoint: is not a field of this object (did you mean endpoints?); allowed here: type, "
            "azureOpenAI, bedrock, simulated, endpoints, credentials, models, limits, timeouts, circuitBreaker, "
            "allowedNamespaces"
        ),
    ),
    (
        "a field in the wrong case gets a suggestion",
        BUDGET,
        {"spec.limits": {"dailyUsd": "5", "weeklyUSD": "9"}},
        (
            "spec.limits.dailyUsd: is not a field of this object (did you mean dailyUSD?); allowed here: dailyUSD, "
            "weeklyUSD, monthlyUSD"
        ),
    ),
    (
        "a Python name is not a field",
        PROVIDER,
        {"spec.circuit_breaker": {}},
        "spec.circuit_breaker: is not a field of this object (did you mean circuitBreaker?)",
    ),
    (
        "a Python name with null is not a field either",
        PROVIDER,
        {"spec.circuit_breaker": None},
        "spec.circuit_breaker: is not a field of this object (did you mean circuitBreaker?)",
    ),
    (
        "an unknown field with null is still unknown",
        PROVIDER,
        {"spec.modelz": None},
        "spec.modelz: is not a field of this object (did you mean models?)",
    ),
    (
        "an unknown field at the top",
        PROVIDER,
        {"sepc": {}},
        "sepc: is not a field of this object (did you mean spec?); allowed here: apiVersion, kind, metadata, spec",
    ),
    (
        "a number key",
        PROVIDER,
        {"spec.timeouts": {5: 6}},
        (
            'spec.timeouts["5"]: is not a field of this object; allowed here: connectSeconds, firstByteSeconds, '
            "idleSeconds, totalSeconds"
        ),
    ),
    (
        "text for a number",
        POLICY,
        {"spec.priority": "100"},
        'spec.priority: expected a whole number; found the text "100": remove the quotes',
    ),
    (
        "a fraction for a number",
        POLICY,
        {"spec.priority": 1.5},
        "spec.priority: expected a whole number; found the decimal number 1.5",
    ),
    (
        "a boolean for a number",
        POLICY,
        {"spec.priority": True},
        "spec.priority: expected a whole number; found the boolean true",
    ),
    (
        "text for a boolean",
        POLICY,
        {"spec.suspend": "true"},
        'spec.suspend: expected true or false; found the text "true": remove the quotes',
    ),
    (
        "a number for text",
        PROVIDER,
        {"spec.models.0.version": 4},
        "spec.models[0].version: expected text; found the number 4: put it in quotes",
    ),
    (
        "a date for text",
        PROVIDER,
        {"spec.models.0.version": date(2024, 10, 21)},
        "spec.models[0].version: expected text; found the date 2024-10-21: put it in quotes",
    ),
    (
        "a number for money",
        BUDGET,
        {"spec.limits": {"dailyUSD": 0.1}},
        (
            'spec.limits.dailyUSD: expected a decimal number in quotes such as "0.05": not negative, at most 9 '
            "digits before and 6 after the point; found the decimal number 0.1: put it in quotes"
        ),
    ),
    (
        "too many decimals",
        BUDGET,
        {"spec.limits": {"dailyUSD": "0.1234567"}},
        'spec.limits.dailyUSD: expected a decimal number in quotes such as "0.05"',
    ),
    (
        "a negative amount",
        BUDGET,
        {"spec.limits": {"dailyUSD": "-1"}},
        'spec.limits.dailyUSD: expected a decimal number in quotes such as "0.05"',
    ),
    (
        "an object for a list",
        POLICY,
        {"spec.targets": {"main": {}}},
        "spec.targets: expected a list; found an object with fields",
    ),
    (
        "text for a list",
        POLICY,
        {"spec.match": {"workspaces": "ws-a"}},
        'spec.match.workspaces: expected a list; found the text "ws-a"',
    ),
    (
        "a list for an object",
        POLICY,
        {"spec.match": []},
        "spec.match: expected an object with fields; found a list of 0 items",
    ),
    (
        "null in a list",
        POLICY,
        {"spec.match": {"workspaces": [None]}},
        "spec.match.workspaces[0]: expected text; found nothing (null)",
    ),
    (
        "a bad choice",
        POLICY,
        {"spec.strategy": "weighted"},
        (
            "spec.strategy: expected one of Weighted, Priority, LeastCost, LowestLatency, HighestQuality, Pareto, "
            'Learned, Bandit; found the text "weighted" (did you mean Weighted?)'
        ),
    ),
    (
        "a choice of the wrong type",
        POLICY,
        {"spec.strategy": 1},
        (
            "spec.strategy: expected one of Weighted, Priority, LeastCost, LowestLatency, HighestQuality, Pareto, "
            "Learned, Bandit; found the number 1"
        ),
    ),
    ("a missing text", POLICY, {"spec.targets.0.name": REMOVED}, "spec.targets[0].name: is missing; expected text"),
    (
        "a missing object",
        POLICY,
        {"spec.targets.0.modelRef": REMOVED},
        "spec.targets[0].modelRef: is missing; expected an object with providerRef, model",
    ),
    (
        "a missing choice",
        PROVIDER,
        {"spec.type": REMOVED},
        (
            "spec.type: is missing; expected one of OpenAI, AzureOpenAI, Anthropic, Gemini, Bedrock, "
            "OpenAICompatible, Simulated"
        ),
    ),
    ("a missing list", POLICY, {"spec.targets": REMOVED}, "spec.targets: is missing; expected a list"),
    ("a null spec", POLICY, {"spec": None}, "spec: is missing; expected an object with targets"),
    ("a spec of text", POLICY, {"spec": "x"}, 'spec: expected an object with fields; found the text "x"'),
    ("an empty list", POLICY, {"spec.targets": []}, "spec.targets: needs at least 1 item, found 0"),
    (
        "a long list",
        POLICY,
        {"spec.match": {"userTiers": [f"t{i}" for i in range(33)]}},
        "spec.match.userTiers: has too many items: at most 32, found 33",
    ),
    (
        "a small number",
        POLICY,
        {"spec.retries": {"attempts": -1}},
        "spec.retries.attempts: must be at least 0; found the number -1",
    ),
    (
        "a big number",
        POLICY,
        {"spec.retries": {"attempts": 11}},
        "spec.retries.attempts: must be at most 10; found the number 11",
    ),
    (
        "an enormous number",
        POLICY,
        {"spec.priority": 10**400},
        "spec.priority: must be at most 1000000; found an enormous number",
    ),
    ("empty text", POLICY, {"spec.targets.0.name": ""}, "spec.targets[0].name: must not be empty"),
    (
        "long text",
        POLICY,
        {"spec.targets.0.name": "a" * 64},
        "spec.targets[0].name: is too long: at most 63 characters, found 64",
    ),
    (
        "a bad name",
        POLICY,
        {"spec.targets.0.name": "Main"},
        (
            "spec.targets[0].name: expected lower-case letters, digits and '-', beginning and ending with a letter "
            'or digit; found the text "Main"'
        ),
    ),
    (
        "a bad time",
        SMALL["ABTest"],
        {"spec.startTime": "tomorrow"},
        'spec.startTime: expected an RFC 3339 time such as 2026-01-31T09:00:00Z, in quotes; found the text "tomorrow"',
    ),
    (
        "an impossible time",
        SMALL["ABTest"],
        {"spec.startTime": "2026-02-30T00:00:00Z"},
        "spec.startTime: expected an RFC 3339 time",
    ),
    (
        "a date for a time",
        SMALL["ABTest"],
        {"spec.startTime": date(2026, 3, 1)},
        (
            "spec.startTime: expected an RFC 3339 time such as 2026-01-31T09:00:00Z, in quotes; found the date "
            "2026-03-01: put it in quotes"
        ),
    ),
    (
        "a repeated name",
        POLICY,
        {"spec.targets": [{"name": "a", "modelRef": MODEL_REF}] * 2},
        "spec.targets[1]: name a is already used by item 0; every item needs its own",
    ),
    (
        "a repeated value",
        POLICY,
        {"spec.match": {"userTiers": ["a", "b", "a"]}},
        "spec.match.userTiers[2]: a is already used by item 0",
    ),
    (
        "a repeated rate limit",
        BUDGET,
        {"spec.rateLimits": [{"resource": "Tokens", "limit": i, "windowSeconds": 60} for i in (1, 2)]},
        "spec.rateLimits[1]: resource Tokens, scope Workspace, windowSeconds 60 is already used by item 0",
    ),
    ("a missing name of the object", POLICY, {"metadata.name": REMOVED}, "metadata.name: is missing; expected text"),
    ("a bad name of the object", POLICY, {"metadata.name": "My_Policy"}, "metadata.name: expected a DNS-1123 name"),
    ("no metadata", POLICY, {"metadata": REMOVED}, "metadata: is missing; expected an object with name"),
    (
        "a bad label",
        POLICY,
        {"metadata.labels": {"example.com/a": 5}},
        'metadata.labels["example.com/a"]: expected text; found the number 5: put it in quotes',
    ),
    (
        "another version",
        POLICY,
        {"apiVersion": "fairlead.dev/v1"},
        'apiVersion: expected fairlead.dev/v1alpha1; found the text "fairlead.dev/v1"',
    ),
    ("no version", POLICY, {"apiVersion": REMOVED}, "apiVersion: is missing; write fairlead.dev/v1alpha1"),
    (
        "another kind",
        POLICY,
        {"kind": "RoutingPolicies"},
        (
            'kind: the text "RoutingPolicies" is none of ModelProvider, RoutingPolicy, ABTest, WorkspaceBudget (did '
            "you mean RoutingPolicy?)"
        ),
    ),
    ("a kind that is no text", POLICY, {"kind": ["x"]}, "kind: a list of 1 item is none of ModelProvider"),
    (
        "no kind",
        POLICY,
        {"kind": None},
        "kind: is missing; expected one of ModelProvider, RoutingPolicy, ABTest, WorkspaceBudget",
    ),
]


@pytest.mark.parametrize(("name", "base", "changes", "expected"), CASES, ids=[case[0] for case in CASES])
def test_one_mistake_gives_one_clear_error(name: str, base: Any, changes: dict[str, Any], expected: str) -> None:
    (error,) = errors_of(with_change(base, changes))
    assert error.startswith(expected)


@pytest.mark.parametrize("garbage", [None, 5, 1.5, "text", b"bytes", [], [{}], True, object(), {1, 2}])
def test_what_is_no_object_is_said_to_be_none(garbage: Any) -> None:
    (error,) = errors_of(garbage)
    assert error.startswith("expected an object with apiVersion, kind, metadata, spec; found ")


def test_an_empty_object_lacks_version_and_kind() -> None:
    assert len(errors_of({})) == 2


@pytest.mark.parametrize("written", ["on: [Error]", "true: [Error]", '"true": [Error]', "yes: [Error]"])
def test_an_unquoted_on_is_recognised(written: str) -> None:
    fallback = yaml.safe_load(f"{written}\nmodelRef: {{providerRef: {{name: openai}}, model: gpt-4o}}")
    (error,) = errors_of(with_change(POLICY, {"spec.fallbacks": [fallback]}))
    assert error.startswith("spec.fallbacks[0].")
    assert 'quote it ("on")' in error


def test_a_quoted_on_is_read() -> None:
    fallback = yaml.safe_load('"on": [Error]\nmodelRef: {providerRef: {name: openai}, model: gpt-4o}')
    assert not isinstance(parse_object(with_change(POLICY, {"spec.fallbacks": [fallback]})), list)


def test_all_mistakes_are_reported_at_once_in_the_order_of_their_paths() -> None:
    document = with_change(
        POLICY,
        {
            "metadata.name": "Bad",
            "spec.stratgy": "Weighted",
            "spec.targets": [
                {"name": f"t{i}", "modelRef": MODEL_REF, "weight": -1 if i in (2, 10) else 0} for i in range(11)
            ],
            "spec.retries": {"attempts": 99, "retryOn": ["Sometimes"]},
        },
    )
    result = parse_object(document)
    assert isinstance(result, list)
    assert [error.path for error in result] == [
        "metadata.name",
        "spec.retries.attempts",
        "spec.retries.retryOn[0]",
        "spec.stratgy",
        "spec.targets[2].weight",
        "spec.targets[10].weight",
    ]


def test_an_unknown_field_does_not_hide_a_broken_rule() -> None:
    result = parse_object(with_change(POLICY, {"spec.stratgy": "Weighted", "spec.targets.0.weight": 0}))
    assert isinstance(result, list)
    assert [(error.path, error.reason) for error in result] == [
        ("spec.stratgy", ErrorReason.UNKNOWN_FIELD),
        ("spec.targets", ErrorReason.RULE),
    ]


def test_unknown_fields_in_several_places_are_all_found() -> None:
    document = with_change(
        PROVIDER, {"spec.endpoints.0.wieght": 1, "spec.x": 1, "spec.timeouts": {"totalSeconds": 1, "y": 2}}
    )
    result = parse_object(document)
    assert isinstance(result, list)
    assert [error.path for error in result] == [
        "spec.endpoints[0].wieght",
        "spec.timeouts",
        "spec.timeouts.y",
        "spec.x",
    ]


def test_no_error_mentions_the_tools_behind_it() -> None:
    for _, base, changes, _ in CASES:
        for error in errors_of(with_change(base, changes)):
            assert "pydantic" not in error.lower()
            assert "input" not in error.lower()
            assert "Spec" not in error


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ((), ""),
        (("spec", "targets", 0, "modelRef", "model"), "spec.targets[0].modelRef.model"),
        (("metadata", "labels", "example.com/a"), 'metadata.labels["example.com/a"]'),
        (("spec", 'a"b\n'), 'spec["a\\"b\\n"]'),
    ],
)
def test_paths_read_as_people_write_them(location: tuple[str | int, ...], path: str) -> None:
    assert path_of(location) == path
