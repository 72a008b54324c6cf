"""What of a spec ends up in a fragment, value by value."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.fragments import (
    Affinity,
    Cache,
    CircuitBreaker,
    Constraints,
    Fallback,
    Header,
    HeaderMatch,
    HealthCheck,
    Match,
    ModelRef,
    Price,
    ProviderFragment,
    Retries,
    Simulated,
    Target,
    Timeouts,
    WorkspaceFragment,
)
from fairlead_crds.compile.intents import intent_of
from tests.compile.objects import (
    PLATFORM,
    about,
    budget,
    compiled,
    fragments,
    model,
    policy,
    provider,
    raw,
    ref,
    said,
    secret,
    state,
    the_policy,
    the_provider,
)

SMALL = ModelRef("team-a", "openai", "small")


def lowered_model(**fields: Any) -> Any:
    return the_provider(compiled(provider(models=[model(**fields)]))).models[0]


def test_prices_are_whole_micro_dollars_per_million_tokens_newest_first() -> None:
    prices = [
        {"inputUSDPerMillionTokens": "10", "outputUSDPerMillionTokens": "0.000001"},
        {
            "effectiveTime": "2024-04-09T00:00:00Z",
            "inputUSDPerMillionTokens": "2.5",
            "outputUSDPerMillionTokens": "10",
            "cachedInputUSDPerMillionTokens": "1.25",
            "cacheWriteUSDPerMillionTokens": "0",
            "perRequestUSD": "0.01",
        },
    ]
    assert lowered_model(prices=prices).prices == (
        Price(1712620800, 2_500_000, 10_000_000, cached_input=1_250_000, cache_write=0, request=10_000),
        Price(0, 10_000_000, 1),
    )


def test_a_model_is_taken_over_with_sorted_lists() -> None:
    found = lowered_model(
        name="gpt-4",
        displayName="GPT 4",
        version="gpt-4-1106",
        capabilities=["Vision", "Tools"],
        compliance=["HIPAA", "GDPR"],
        tags=["z", "a"],
        contextWindowTokens=1000,
        maxOutputTokens=500,
        defaults={"temperature": "0.7", "maxOutputTokens": 100},
        state="Deprecated",
    )
    assert (found.name, found.upstream_name, found.display_name) == ("gpt-4", "gpt-4-1106", "GPT 4")
    assert (found.capabilities, found.compliance, found.tags) == (("Tools", "Vision"), ("GDPR", "HIPAA"), ("a", "z"))
    assert (found.context_window_tokens, found.max_output_tokens) == (1000, 500)
    assert (found.default_temperature, found.default_max_output_tokens, found.state) == (0.7, 100, "Deprecated")
    assert lowered_model(name="plain").upstream_name == "plain"


def test_the_timeouts_and_the_breaker_of_a_provider_are_complete() -> None:
    plain = the_provider(compiled(provider()))
    assert plain.timeouts == Timeouts(2, 20, 30, 120)
    assert plain.circuit_breaker == CircuitBreaker(60, 10, 50, 5, 10, 120, 1)
    set_ = the_provider(compiled(provider(timeouts={"idleSeconds": 7}, circuitBreaker={"openSeconds": 3})))
    assert (set_.timeouts.idle_seconds, set_.timeouts.total_seconds) == (7, 120)
    assert (set_.circuit_breaker.open_seconds, set_.circuit_breaker.window_seconds) == (3, 60)


def test_endpoints_keep_their_order_and_header_names_lose_their_case() -> None:
    endpoints = [
        {
            "name": "z",
            "url": "https://z.example/v1",
            "weight": 5,
            "region": "eu",
            "headers": [{"name": "X-A", "value": "B"}],
        },
        {"name": "a", "url": "https://a.example/v1", "role": "Backup"},
    ]
    first, second = the_provider(compiled(provider(endpoints=endpoints))).endpoints
    assert (first.name, first.weight, first.region, first.backup) == ("z", 5, "eu", False)
    assert first.headers == (Header("x-a", "B"),)
    assert (second.name, second.weight, second.backup) == ("a", 100, True)


def test_a_simulated_provider_needs_neither_price_nor_endpoint() -> None:
    item = raw("ModelProvider", "sim", {"type": "Simulated", "models": [{"name": "m"}], "simulated": {"seed": 9}})
    result = compiled(item)
    assert said(result) == []
    assert the_provider(result, "team-a/sim").simulated == Simulated(50, 5, 0, 120, 9)


@pytest.mark.parametrize(("state_", "warned"), [("Active", True), ("Inactive", False), ("Deprecated", False)])
def test_an_active_model_without_a_price_is_warned_about(state_: str, warned: bool) -> None:
    result = compiled(provider(models=[model(), {"name": "free", "state": state_}]))
    assert said(result) == [("team-a/openai", "spec.models[1].prices", "UnknownPrice")] * warned
    assert state(result, "ModelProvider", "team-a/openai").accepted


def test_a_policy_without_further_ado() -> None:
    found = the_policy(compiled(provider(), policy()))
    assert (found.uid, found.generation, found.created_at) == ("uid-RoutingPolicy-team-a-main", 1, 1767225600)
    assert (found.precedence, found.priority, found.strategy, found.platform) == ("Normal", 0, "Weighted", False)
    assert found.match == Match()
    assert found.targets == (Target("t0", SMALL, 100),)
    assert found.retries == Retries()
    assert found.timeouts == Timeouts()
    assert found.circuit_breaker == CircuitBreaker()
    assert (found.canary, found.affinity, found.constraints) == (None, None, Constraints())


def test_an_object_of_unknown_age_counts_as_created_at_zero() -> None:
    assert the_policy(compiled(provider(), policy(created=None))).created_at == 0
    assert the_policy(compiled(provider(), policy(created="2026-01-01T02:00:00+02:00"))).created_at == 1767225600


def test_a_match_is_sorted_throughout() -> None:
    match = {
        "models": ["z", "auto"],
        "workspaces": ["w2", "w1"],
        "agentTypes": ["b", "a"],
        "requestTypes": ["Chat"],
        "categories": ["math", "coding"],
        "difficulties": ["Medium", "Hard"],
        "languages": ["en", "de"],
        "certainty": "Ambiguous",
        "userTiers": ["premium", "free"],
        "contentLengthCharacters": {"min": 1, "max": 9},
        "headers": [{"name": "X-B", "prefix": "p"}, {"name": "x-a", "exact": "E"}, {"name": "x-c", "present": True}],
    }
    assert the_policy(compiled(provider(), policy(match=match))).match == Match(
        models=("auto", "z"),
        workspaces=("w1", "w2"),
        agent_types=("a", "b"),
        request_types=("Chat",),
        categories=("coding", "math"),
        difficulties=("Hard", "Medium"),
        languages=("de", "en"),
        certainty="Ambiguous",
        user_tiers=("free", "premium"),
        min_characters=1,
        max_characters=9,
        headers=(HeaderMatch("x-a", exact="E"), HeaderMatch("x-b", prefix="p"), HeaderMatch("x-c", present=True)),
    )


def test_the_other_blocks_of_a_policy() -> None:
    spec: dict[str, Any] = {
        "strategy": "Priority",
        "priority": 7,
        "fallbacks": [{"on": ["Timeout", "Error"], "modelRef": ref()}],
        "affinity": {"unit": "User", "ttlSeconds": 60},
        "constraints": {"requiredCapabilities": ["Vision", "Tools"], "compliance": ["B", "A"], "regions": ["us", "eu"]},
        "retries": {"attempts": 3, "totalSeconds": 9, "retryOn": ["Timeout", "ServerError"]},
        "timeouts": {"idleSeconds": 4},
        "circuitBreaker": {"openSeconds": 2},
    }
    found = the_policy(compiled(provider(), policy(**spec)))
    assert (found.strategy, found.priority) == ("Priority", 7)
    assert found.fallbacks == (Fallback(("Error", "Timeout"), SMALL),)
    assert found.affinity == Affinity("User", 60)
    assert found.constraints == Constraints(("Tools", "Vision"), ("A", "B"), ("eu", "us"))
    assert found.retries == Retries(3, None, 9, ("ServerError", "Timeout"))
    assert found.timeouts == Timeouts(idle_seconds=4)
    assert found.circuit_breaker == CircuitBreaker(open_seconds=2)


@pytest.mark.parametrize("strategy", ["Weighted", "Priority", "LeastCost", "LowestLatency"])
def test_a_strategy_keeps_its_name(strategy: str) -> None:
    assert the_policy(compiled(provider(), policy(strategy=strategy))).strategy == strategy


def test_limits_on_cost_latency_and_success_are_lowered_to_whole_numbers() -> None:
    limits = {
        "maxCostUSD": "0.05",
        "maxCostPerTokenUSD": "0.00001",
        "maxLatencyMilliseconds": 5000,
        "minSuccessPercent": "99.5",
    }
    wanted = Constraints(
        max_cost_micro_usd=50_000, max_price=10_000_000, max_latency_milliseconds=5000, min_success_ppm=995_000
    )
    result = compiled(provider(), policy(constraints=limits), budget("team-a", constraints=limits))
    imposed = fragments(result)["WorkspaceBudget team-a/budget"]
    assert isinstance(imposed, WorkspaceFragment)
    assert the_policy(result).constraints == imposed.constraints == wanted


@pytest.mark.parametrize(
    ("stated", "check"),
    [
        ({}, HealthCheck()),
        (
            {
                "path": "/health",
                "periodSeconds": 30,
                "timeoutSeconds": 5,
                "failureThreshold": 2,
                "successThreshold": 4,
            },
            HealthCheck("/health", 30, 5, 2, 4),
        ),
    ],
)
def test_a_health_check_is_lowered_with_its_defaults(stated: dict[str, Any], check: HealthCheck) -> None:
    address = {"url": "https://a.example"}
    endpoints = [{"name": "a", "healthCheck": stated} | address, {"name": "b"} | address]
    found = the_provider(compiled(provider(endpoints=endpoints)))
    assert [each.health_check for each in found.endpoints] == [check, None]


def canary_hash(**canary: Any) -> str:
    found = the_policy(compiled(provider(models=[model(), model("new")]), policy(canary=canary))).canary
    assert found is not None
    return found.spec_hash


def test_a_canary_is_identified_by_its_own_block_alone() -> None:
    base = canary_hash(modelRef=ref(model="new"), weightPercent=5)
    assert len(base) == 16
    assert canary_hash(weightPercent=5, modelRef=ref(model="new"), unit="User") == base
    assert canary_hash(modelRef=ref(model="new"), weightPercent=6) != base
    assert canary_hash(modelRef=ref(), weightPercent=5) != base


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (
            policy(match={"headers": [{"name": "X-A", "exact": "1"}, {"name": "x-a", "exact": "2"}]}),
            "spec.match.headers",
        ),
        (
            provider(
                endpoints=[
                    {
                        "name": "a",
                        "url": "https://a.example",
                        "headers": [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}],
                    }
                ]
            ),
            "spec.endpoints[0].headers",
        ),
    ],
)
def test_a_header_named_twice_in_different_case_is_invalid(item: dict[str, Any], field: str) -> None:
    (finding,) = about(compiled(item), "Invalid")
    assert (finding.field, finding.severity) == (field, "Error")


def test_a_budget_merges_its_compliance_and_names_its_models_in_full() -> None:
    item = budget(
        "team-a",
        allowedModels=[ref("z", namespace="other"), ref()],
        constraints={"compliance": ["B"], "regions": ["eu"]},
        compliance=["A", "B"],
    )
    found = fragments(compiled(item))["WorkspaceBudget team-a/budget"]
    assert isinstance(found, WorkspaceFragment)
    assert found.allowed_models == (ModelRef("other", "z", "small"), SMALL)
    assert found.constraints == Constraints((), ("A", "B"), ("eu",))


def test_a_budget_without_allowed_models_allows_all() -> None:
    found = fragments(compiled(budget("team-a")))["WorkspaceBudget team-a/budget"]
    assert isinstance(found, WorkspaceFragment)
    assert found.allowed_models is None


def test_a_suspended_policy_has_no_fragment_and_says_so() -> None:
    result = compiled(provider(), policy(suspend=True))
    found = state(result, "RoutingPolicy", "team-a/main")
    assert (found.accepted, found.accepted_reason, found.generation_in_force) == (True, "Suspended", None)
    assert "RoutingPolicy team-a/main" not in fragments(result)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (policy(strategy="Pareto"), "spec.strategy"),
        (policy(match={"requestTypes": ["Response"]}), "spec.match.requestTypes[0]"),
        (budget("team-a", limits={"dailyUSD": "1"}), "spec.limits"),
        (provider(limits={"requestsPerMinute": 5}), "spec.limits"),
    ],
)
def test_a_field_that_is_not_implemented_keeps_the_object_out_by_name(item: dict[str, Any], field: str) -> None:
    result = compiled(item)
    key = f"team-a/{item['metadata']['name']}"
    assert (key, field, "NotImplemented") in said(result)
    assert state(result, item["kind"], key).accepted_reason == "NotImplemented"
    assert state(result, item["kind"], key).generation_in_force is None


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"kind": "RoutingPolicy"},
        {"kind": 7, "metadata": "none"},
        {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Surprise", "metadata": {"name": "x"}},
        {"apiVersion": "fairlead.dev/v1alpha1", "kind": "RoutingPolicy", "metadata": {"name": 1, "generation": "2"}},
        {"metadata": {"creationTimestamp": "yesterday", "name": "x"}},
    ],
)
def test_what_is_no_object_of_ours_is_invalid_and_stops_nobody(item: dict[str, Any]) -> None:
    result = compiled(item, provider())
    assert {reason for _, _, reason in said(result)} == {"Invalid"}
    assert isinstance(the_provider(result), ProviderFragment)


def test_an_object_being_deleted_is_absent() -> None:
    item = provider()
    item["metadata"]["deletionTimestamp"] = "2026-02-01T00:00:00Z"
    result = compiled(item, policy())
    assert [entry.kind for entry in result.states] == ["RoutingPolicy"]
    assert the_policy(result).targets[0].unresolved == "ProviderNotFound"


def test_of_two_objects_with_one_name_the_first_uid_counts() -> None:
    one, other = provider(uid="b", models=[model("b")]), provider(uid="a", models=[model("a")], generation=5)
    result = compiled(one, other)
    assert the_provider(result).uid == "a"
    assert said(result) == [("team-a/openai", "metadata.name", "Duplicate")]
    assert [(item.uid, item.accepted, item.accepted_reason) for item in result.states] == [
        ("a", True, "Accepted"),
        ("b", False, "Duplicate"),
    ]
    assert compiled(other, one).snapshot == result.snapshot


def test_the_intent_of_a_fragment_is_what_it_was_linked_from() -> None:
    header = {"name": "x-key", "valueFrom": {"secretRef": {"name": "keys", "key": "key"}}}
    selector = {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}
    objects = [
        provider(
            endpoints=[{"name": "a", "url": "https://a.example", "headers": [header]}],
            credentials={"secretRef": {"name": "keys", "key": "key"}},
            allowedNamespaces=selector,
        ),
        policy(namespace=PLATFORM, targets=[ref("gone")], canary={"modelRef": ref("gone"), "weightPercent": 1}),
        budget("team-a"),
    ]
    result = compiled(*objects, secrets=[secret(hosts="b.example")])
    assert the_provider(result).withheld == "HostNotAllowed"
    assert the_policy(result, f"{PLATFORM}/main").targets[0].unresolved == "ProviderNotFound"
    for lowered in result.previous.lowered.values():
        assert lowered.intent is not None
        entry = fragments(result)[f"{type(lowered.intent).__struct_config__.tag} {lowered.intent.key}"]
        assert intent_of(entry) == lowered.intent


@pytest.mark.parametrize(
    ("spec", "found"),
    [({}, None), ({"cache": {}}, Cache(600)), ({"cache": {"ttlSeconds": 5, "scope": "Workspace"}}, Cache(5))],
)
def test_a_cache_is_taken_over(spec: dict[str, Any], found: Cache | None) -> None:
    assert the_policy(compiled(provider(), policy(**spec))).cache == found
