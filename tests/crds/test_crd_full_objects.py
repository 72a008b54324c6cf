"""Objects that use every field of the API: they parse, keep what they say, and report exactly what is not implemented."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fairlead_crds.errors import ErrorReason
from fairlead_crds.generate.examples import EXAMPLES
from fairlead_crds.generate.schema import structural_schema
from fairlead_crds.kinds import KINDS, ParsedObject
from fairlead_crds.kinds.model_provider import ModelProvider, ModelType, ProviderType
from fairlead_crds.kinds.routing_policy import RoutingPolicy, Strategy
from fairlead_crds.kinds.workspace_budget import WorkspaceBudget
from fairlead_crds.not_implemented import GAPS, gap_at, missing_values, not_implemented
from fairlead_crds.parse import parse_object
from tests.crds.crd_objects import FULL, REMOVED, SMALL, Object, with_change


def parsed(document: Object) -> ParsedObject:
    result = parse_object(document)
    assert not isinstance(result, list), [str(error) for error in result]
    return result


def _schema_paths(schema: dict[str, Any], path: str) -> Iterator[str]:
    if schema["type"] == "array":
        yield from _schema_paths(schema["items"], f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from _schema_paths(inner, f"{path}.{name}")


def _used_paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _used_paths(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from _used_paths(inner, f"{path}.{name}")


@pytest.mark.parametrize("name", FULL)
def test_an_object_with_every_field_parses(name: str) -> None:
    assert parsed(FULL[name]).kind == FULL[name]["kind"]


@pytest.mark.parametrize("kind", KINDS)
def test_between_them_the_full_objects_use_every_field_of_the_kind(kind: str) -> None:
    spec = KINDS[kind].spec
    used = {
        path for document in FULL.values() if document["kind"] == kind for path in _used_paths(document["spec"], "spec")
    }
    assert set(_schema_paths(structural_schema(spec, "spec"), "spec")) - used == set()


NOT_IMPLEMENTED = {
    "AzureOpenAI provider": [
        "spec.endpoints[0].tls",
        "spec.limits",
        "spec.models[0].quality",
    ],
    "Bedrock provider": ["spec.bedrock", "spec.type"],
    "Simulated provider": [],
    "learned policy": [
        "spec.canary.analysis",
        "spec.canary.bundle",
        "spec.canary.steps",
        "spec.constraints.minQualityPercent",
        "spec.hedge",
        "spec.learned",
        "spec.match.requestTypes[1]",
        "spec.shadow",
        "spec.strategy",
    ],
    "bandit policy": ["spec.bandit", "spec.strategy"],
    "experiment on a policy": ["spec"],
    "experiment on a match": ["spec"],
    "budget": [
        "spec.access",
        "spec.constraints.minQualityPercent",
        "spec.downgrade",
        "spec.limits",
        "spec.onExceeded",
        "spec.onStoreUnavailable",
        "spec.rateLimits",
        "spec.timeZone",
        "spec.warnAtPercent",
    ],
}


@pytest.mark.parametrize("name", FULL)
def test_exactly_the_fields_that_do_nothing_yet_are_reported(name: str) -> None:
    gaps = not_implemented(parsed(FULL[name]))
    assert [gap.path for gap in gaps] == NOT_IMPLEMENTED[name]
    assert {gap.reason for gap in gaps} <= {ErrorReason.NOT_IMPLEMENTED}


@pytest.mark.parametrize("kind", ["ModelProvider", "RoutingPolicy", "WorkspaceBudget"])
def test_defaults_are_never_reported_as_not_implemented(kind: str) -> None:
    assert not_implemented(parsed(SMALL[kind])) == []


def test_a_report_names_the_field_and_says_what_to_do_instead() -> None:
    (gap,) = not_implemented(parsed(with_change(SMALL["RoutingPolicy"], {"spec.strategy": "Pareto"})))
    assert str(gap) == (
        "spec.strategy: strategy: Pareto is not implemented in this version: "
        "use Weighted, Priority, LeastCost or LowestLatency"
    )
    (gap,) = not_implemented(parsed(with_change(SMALL["RoutingPolicy"], {"spec.hedge": {}})))
    assert str(gap) == "spec.hedge: hedge is not implemented in this version: remove it"
    (gap,) = not_implemented(
        parsed(with_change(SMALL["RoutingPolicy"], {"spec.match": {"requestTypes": ["Chat", "Response"]}}))
    )
    assert str(gap) == (
        "spec.match.requestTypes[1]: requestTypes: Response is not implemented in this version: "
        "list Chat, Completion or Embedding, or nothing"
    )


def test_every_gap_is_about_a_field_that_exists() -> None:
    for gap in GAPS:
        spec = KINDS[gap.kind].spec
        path = gap.path.removesuffix("[]")
        assert path == "spec" or path in set(_schema_paths(structural_schema(spec, "spec"), "spec"))


def test_gaps_of_single_values_are_not_gaps_of_the_field() -> None:
    assert gap_at("RoutingPolicy", "spec.strategy") is None
    assert "Pareto" in missing_values("RoutingPolicy", "spec.strategy")
    assert gap_at("RoutingPolicy", "spec.bandit.floorPercent") is not None
    assert missing_values("RoutingPolicy", "spec.match.requestTypes") == {"Response", "Message"}
    assert gap_at("ABTest", "spec.arms[].name") is not None


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_of_the_reference_parse_and_work(kind: str) -> None:
    gaps = not_implemented(parsed(yaml.safe_load(EXAMPLES[kind])))
    assert [gap.path for gap in gaps] == (["spec"] if kind == "ABTest" else [])


def test_optional_blocks_stay_absent_and_fields_get_the_defaults_of_the_api() -> None:
    provider = parsed(SMALL["ModelProvider"])
    assert isinstance(provider, ModelProvider)
    assert provider.spec.timeouts is None
    assert provider.spec.endpoints[0].weight == 100
    assert provider.spec.models[0].type is ModelType.CHAT
    policy = parsed(SMALL["RoutingPolicy"])
    assert isinstance(policy, RoutingPolicy)
    assert (policy.spec.suspend, policy.spec.priority) == (False, 0)
    assert policy.spec.match.models == ("auto",)
    assert policy.spec.strategy is Strategy.WEIGHTED
    assert policy.spec.retries is None
    with_retries = parsed(with_change(SMALL["RoutingPolicy"], {"spec.retries": {}}))
    assert isinstance(with_retries, RoutingPolicy)
    assert with_retries.spec.retries is not None
    assert with_retries.spec.retries.attempts == 1
    assert with_retries.spec.retries.retry_on == ("ConnectFailure", "Timeout", "ServerError", "RateLimited")


def test_money_is_read_as_integers() -> None:
    budget = parsed(FULL["budget"])
    assert isinstance(budget, WorkspaceBudget)
    assert budget.spec.limits is not None
    assert budget.spec.limits.daily_usd is not None
    assert budget.spec.limits.daily_usd.micros == 100_000_000
    assert budget.spec.constraints is not None
    assert budget.spec.constraints.max_cost_per_token_usd is not None
    assert budget.spec.constraints.max_cost_per_token_usd.micros_per_million_tokens == 10_000_000
    assert budget.spec.constraints.min_success_percent is not None
    assert budget.spec.constraints.min_success_percent.parts_per_million == 950_000


def test_metadata_keeps_what_we_read_and_ignores_the_rest() -> None:
    document = with_change(
        SMALL["ModelProvider"],
        {
            "metadata.managedFields": [{"manager": "kubectl"}],
            "metadata.creationTimestamp": "2026-03-01T10:00:00Z",
            "metadata.labels": {"example.com/team": "red"},
            "metadata.namespace": REMOVED,
            "status": {"conditions": "not read"},
        },
    )
    meta = parsed(document).metadata
    assert (meta.name, meta.namespace, meta.uid, meta.generation) == ("example", "default", "u-1", 3)
    assert meta.creation_timestamp is not None
    assert meta.creation_timestamp.isoformat() == "2026-03-01T10:00:00+00:00"
    assert meta.labels == {"example.com/team": "red"}
    assert meta.deletion_timestamp is None


def test_a_null_means_absent_as_it_does_to_the_api_server() -> None:
    document = with_change(SMALL["ModelProvider"], {"spec.timeouts": None, "spec.endpoints.0.role": None})
    provider = parsed(document)
    assert isinstance(provider, ModelProvider)
    assert provider.spec.timeouts is None
    assert not provider.spec.given("timeouts")
    assert provider.spec.type is ProviderType.OPENAI


def test_parsed_objects_are_frozen() -> None:
    provider = parsed(SMALL["ModelProvider"])
    with pytest.raises(ValueError, match="frozen"):
        provider.spec = provider.spec  # type: ignore[misc]


def test_what_was_parsed_can_be_written_and_parsed_again() -> None:
    for document in FULL.values():
        first = parsed(document)
        again = parsed(first.model_dump(mode="json", by_alias=True, exclude_unset=True))
        assert again == first
