"""For every cross-field rule an object it accepts and one it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.crds.crd_objects import (
    BEDROCK,
    EXPERIMENT,
    FULL_BANDIT,
    FULL_BUDGET,
    FULL_LEARNED,
    FULL_PROVIDER,
    MODEL_REF,
    PINNED,
    REMOVED,
    SMALL,
    Object,
    envelope,
    with_change,
)


@dataclass(frozen=True)
class RuleCase:
    """Changes to a small valid object; `path` and the beginning of the message tell the rule that refuses."""

    name: str
    base: Object
    accepted: dict[str, Any]
    refused: dict[str, Any]
    path: str
    message: str

    @property
    def accepted_object(self) -> Object:
        return with_change(self.base, self.accepted)

    @property
    def refused_object(self) -> Object:
        return with_change(self.base, self.refused)


PROVIDER, POLICY, EXPERIMENT_OBJECT, BUDGET = (
    SMALL[kind] for kind in ("ModelProvider", "RoutingPolicy", "ABTest", "WorkspaceBudget")
)
LEARNED = with_change(envelope("RoutingPolicy", FULL_LEARNED), {"spec.canary": REMOVED})
BANDIT = envelope("RoutingPolicy", FULL_BANDIT)
HEADERS = "spec.endpoints.0.headers"
CANARY = {"modelRef": MODEL_REF, "weightPercent": 20}
SELECTOR = {"from": "Selector", "selector": {"matchLabels": {"team": "red"}}}


def _endpoint(**fields: Any) -> Object:
    return {"name": "primary", "url": "https://api.openai.com/v1"} | fields


CASES = [
    # ModelProvider
    *(
        RuleCase(
            f"{block} only with its type",
            PROVIDER,
            changes,
            {f"spec.{block}": value},
            f"spec.{block}",
            f"{block} goes with type",
        )
        for block, value, changes in (
            ("azureOpenAI", {}, {"spec.azureOpenAI": {}, "spec.type": "AzureOpenAI"}),
            ("bedrock", BEDROCK["bedrock"], {"spec.bedrock": BEDROCK["bedrock"], "spec.type": "Bedrock"}),
            ("simulated", {}, {"spec.simulated": {}, "spec.type": "Simulated"}),
        )
    ),
    RuleCase(
        "Bedrock needs its region",
        envelope("ModelProvider", BEDROCK),
        {},
        {"spec.bedrock": REMOVED},
        "spec.bedrock",
        "type Bedrock needs",
    ),
    RuleCase(
        "an endpoint, absent",
        PROVIDER,
        {},
        {"spec.endpoints": REMOVED},
        "spec.endpoints",
        "this type needs at least one endpoint",
    ),
    RuleCase(
        "an endpoint, empty",
        PROVIDER,
        {"spec.endpoints": [], "spec.type": "Simulated"},
        {"spec.endpoints": []},
        "spec.endpoints",
        "this type needs at least one endpoint",
    ),
    RuleCase(
        "one endpoint is Primary",
        PROVIDER,
        {"spec.endpoints.0.weight": 0},
        {"spec.endpoints.0.role": "Backup"},
        "spec.endpoints",
        "at least one endpoint must have role Primary",
    ),
    *(
        RuleCase(
            f"url {url}",
            PROVIDER,
            {"spec.endpoints.0.url": good},
            {"spec.endpoints.0.url": url},
            "spec.endpoints[0].url",
            "url must be http:// or https://",
        )
        for good, url in (
            ("http://localhost:11434/v1", "ftp://example.com"),
            ("https://10.0.0.1", "https://user:secret@example.com/v1"),
            ("https://[::1]:8443/v1/", "https://example.com/v1?key=secret"),
            ("http://llama.team-red.svc.cluster.local:8000/v1", "https://example.com/v1#x"),
            ("https://example.com", "https:///v1"),
            ("https://example.com/", "https://exa mple.com/v1"),
            ("https://example.com:443", "https://example.com:443000"),
        )
    ),
    RuleCase(
        "tls needs https",
        PROVIDER,
        {"spec.endpoints.0.tls": {}},
        {"spec.endpoints.0.tls": {}, "spec.endpoints.0.url": "http://a.b"},
        "spec.endpoints[0].tls",
        "tls needs an https:// url",
    ),
    RuleCase(
        "header with value",
        PROVIDER,
        {HEADERS: [{"name": "x-a", "value": ""}]},
        {HEADERS: [{"name": "x-a"}]},
        "spec.endpoints[0].headers[0]",
        "a header takes exactly one of value and valueFrom",
    ),
    RuleCase(
        "header with both",
        PROVIDER,
        {HEADERS: FULL_PROVIDER["endpoints"][0]["headers"]},
        {HEADERS: [{"name": "x-a", "value": "1", "valueFrom": {"secretRef": {"name": "a", "key": "b"}}}]},
        "spec.endpoints[0].headers[0]",
        "a header takes exactly one of value and valueFrom",
    ),
    RuleCase(
        "hop-by-hop header",
        PROVIDER,
        {HEADERS: [{"name": "x-te", "value": "1"}]},
        {HEADERS: [{"name": "Transfer-Encoding", "value": "chunked"}]},
        "spec.endpoints[0].headers[0].name",
        "this header belongs to a single connection",
    ),
    RuleCase(
        "credential in plain text",
        PROVIDER,
        {HEADERS: [{"name": "Authorization", "valueFrom": {"secretRef": {"name": "a", "key": "b"}}}]},
        {HEADERS: [{"name": "Authorization", "value": "Bearer x"}]},
        "spec.endpoints[0].headers[0].value",
        "this header carries a credential",
    ),
    RuleCase(
        "health check timeout",
        PROVIDER,
        {"spec.endpoints.0.healthCheck": {"periodSeconds": 3}},
        {"spec.endpoints.0.healthCheck": {"periodSeconds": 2}},
        "spec.endpoints[0].healthCheck",
        "timeoutSeconds must not exceed periodSeconds",
    ),
    RuleCase(
        "a model called auto",
        PROVIDER,
        {"spec.models.0.name": "automatic"},
        {"spec.models.0.name": "auto"},
        "spec.models[0].name",
        "the name auto asks the router",
    ),
    RuleCase(
        "output within the window",
        PROVIDER,
        {"spec.models.0": {"name": "m", "maxOutputTokens": 10, "contextWindowTokens": 10}},
        {"spec.models.0": {"name": "m", "maxOutputTokens": 11, "contextWindowTokens": 10}},
        "spec.models[0]",
        "maxOutputTokens must not exceed contextWindowTokens",
    ),
    RuleCase(
        "default output within the limit",
        PROVIDER,
        {"spec.models.0": {"name": "m", "maxOutputTokens": 10, "defaults": {"maxOutputTokens": 10}}},
        {"spec.models.0": {"name": "m", "maxOutputTokens": 10, "defaults": {"maxOutputTokens": 11}}},
        "spec.models[0].defaults",
        "defaults.maxOutputTokens must not exceed maxOutputTokens",
    ),
    RuleCase(
        "timeouts in order",
        PROVIDER,
        {"spec.timeouts": {"totalSeconds": 20}},
        {"spec.timeouts": {"totalSeconds": 19}},
        "spec.timeouts",
        "connectSeconds and firstByteSeconds must not exceed totalSeconds: lower them or raise totalSeconds (defaults",
    ),
    RuleCase(
        "breaker in order",
        PROVIDER,
        {"spec.circuitBreaker": {"openSeconds": 120}},
        {"spec.circuitBreaker": {"openSeconds": 121}},
        "spec.circuitBreaker",
        "openSeconds must not exceed maxOpenSeconds: lower openSeconds or raise maxOpenSeconds (defaults",
    ),
    RuleCase(
        "selector without Selector",
        PROVIDER,
        {"spec.allowedNamespaces": SELECTOR},
        {"spec.allowedNamespaces": SELECTOR | {"from": "All"}},
        "spec.allowedNamespaces",
        "selector goes with from: Selector",
    ),
    RuleCase(
        "Selector without selector",
        PROVIDER,
        {"spec.allowedNamespaces": {}},
        {"spec.allowedNamespaces": {"from": "Selector"}},
        "spec.allowedNamespaces",
        "selector goes with from: Selector",
    ),
    RuleCase(
        "empty selector",
        PROVIDER,
        {
            "spec.allowedNamespaces": {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
            }
        },
        {"spec.allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {}}}},
        "spec.allowedNamespaces.selector",
        "an empty selector would admit every namespace",
    ),
    RuleCase(
        "In needs values",
        PROVIDER,
        {
            "spec.allowedNamespaces": {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]},
            }
        },
        {
            "spec.allowedNamespaces": {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
            }
        },
        "spec.allowedNamespaces.selector.matchExpressions[0]",
        "In and NotIn need values",
    ),
    # RoutingPolicy
    RuleCase(
        "Weighted needs a weight",
        POLICY,
        {"spec.strategy": "Priority", "spec.targets.0.weight": 0},
        {"spec.targets.0.weight": 0},
        "spec.targets",
        "strategy Weighted needs at least one target",
    ),
    RuleCase(
        "distinct orders",
        BANDIT,
        {"spec.targets.0.fallbackOrder": 1, "spec.targets.1.fallbackOrder": 1},
        {
            "spec.strategy": "Priority",
            "spec.bandit": REMOVED,
            "spec.targets.0.fallbackOrder": 1,
            "spec.targets.1.fallbackOrder": 1,
        },
        "spec.targets",
        "strategy Priority needs a different fallbackOrder",
    ),
    RuleCase(
        "learned without Learned",
        LEARNED,
        {},
        {"spec.strategy": "Weighted"},
        "spec.learned",
        "the block learned goes with strategy Learned",
    ),
    RuleCase(
        "Learned without learned",
        POLICY,
        {},
        {"spec.strategy": "Learned"},
        "spec.learned",
        "the block learned goes with strategy Learned",
    ),
    RuleCase(
        "bandit without Bandit",
        BANDIT,
        {},
        {"spec.strategy": "Priority"},
        "spec.bandit",
        "the block bandit goes with strategy Bandit",
    ),
    RuleCase(
        "Bandit without bandit",
        POLICY,
        {},
        {"spec.strategy": "Bandit"},
        "spec.bandit",
        "the block bandit goes with strategy Bandit",
    ),
    RuleCase(
        "floors fit",
        BANDIT,
        {"spec.bandit.floorPercent": 50},
        {"spec.targets.1": REMOVED},
        "spec.bandit",
        "floorPercent times the number of targets",
    ),
    RuleCase(
        "ceilings fit",
        BANDIT,
        {"spec.bandit.ceilingPercent": 50},
        {"spec.bandit.ceilingPercent": 49},
        "spec.bandit",
        "floorPercent times the number of targets",
    ),
    RuleCase(
        "floor below ceiling",
        BANDIT,
        {"spec.bandit.floorPercent": 50, "spec.bandit.ceilingPercent": 50},
        {"spec.bandit.floorPercent": 6, "spec.bandit.ceilingPercent": 5},
        "spec.bandit",
        "floorPercent must not exceed ceilingPercent",
    ),
    RuleCase(
        "objective above 0",
        LEARNED,
        {"spec.learned.objective": {"costWeight": 0, "latencyWeight": 0}},
        {"spec.learned.objective": {"costWeight": 0, "latencyWeight": 0, "qualityWeight": 0}},
        "spec.learned.objective",
        "at least one of qualityWeight",
    ),
    RuleCase(
        "fallback strategy",
        LEARNED,
        {"spec.learned.fallbackStrategy": "Priority"},
        {"spec.learned.fallbackStrategy": "Bandit"},
        "spec.learned.fallbackStrategy",
        "fallbackStrategy must decide without learning",
    ),
    RuleCase(
        "unsigned bundle",
        LEARNED,
        {"spec.learned.bundle": PINNED},
        {"spec.learned.bundle": {"uri": "gs://a/b"}},
        "spec.learned.bundle",
        "a bundle that is polled",
    ),
    RuleCase(
        "canary of nothing",
        POLICY,
        {"spec.canary": CANARY},
        {"spec.canary": {"weightPercent": 5}},
        "spec.canary",
        "a canary takes exactly one of modelRef and bundle",
    ),
    RuleCase(
        "canary of both",
        POLICY,
        {"spec.canary": {"bundle": PINNED, "weightPercent": 5}},
        {"spec.canary": CANARY | {"bundle": PINNED}},
        "spec.canary",
        "a canary takes exactly one of modelRef and bundle",
    ),
    RuleCase(
        "steps rise",
        POLICY,
        {"spec.canary": CANARY | {"steps": [{"weightPercent": 5}, {"weightPercent": 20}]}},
        {"spec.canary": CANARY | {"steps": [{"weightPercent": 6}, {"weightPercent": 5}]}},
        "spec.canary.steps",
        "the weightPercent of steps must not fall",
    ),
    RuleCase(
        "steps stay below the share",
        POLICY,
        {"spec.canary": CANARY | {"steps": []}},
        {"spec.canary": CANARY | {"steps": [{"weightPercent": 21}]}},
        "spec.canary.steps",
        "the weightPercent of steps must not fall",
    ),
    RuleCase(
        "canary metric with a bound",
        POLICY,
        {
            "spec.canary": CANARY
            | {"analysis": {"metrics": [{"name": "ErrorPercent", "max": 1, "maxIncreasePercent": 1}]}}
        },
        {"spec.canary": CANARY | {"analysis": {"metrics": [{"name": "ErrorPercent"}]}}},
        "spec.canary.analysis.metrics[0]",
        "a metric needs maxIncreasePercent",
    ),
    RuleCase(
        "retry times in order",
        POLICY,
        {"spec.retries": {"perAttemptSeconds": 60, "totalSeconds": 60}},
        {"spec.retries": {"perAttemptSeconds": 61, "totalSeconds": 60}},
        "spec.retries",
        "perAttemptSeconds must not exceed totalSeconds",
    ),
    RuleCase(
        "overridden timeouts in order",
        POLICY,
        {"spec.timeouts": {"totalSeconds": 1, "idleSeconds": 5}},
        {"spec.timeouts": {"totalSeconds": 5, "firstByteSeconds": 6}},
        "spec.timeouts",
        "connectSeconds and firstByteSeconds must not exceed totalSeconds: lower them or raise totalSeconds",
    ),
    RuleCase(
        "overridden breaker in order",
        POLICY,
        {"spec.circuitBreaker": {"openSeconds": 600}},
        {"spec.circuitBreaker": {"openSeconds": 6, "maxOpenSeconds": 5}},
        "spec.circuitBreaker",
        "openSeconds must not exceed maxOpenSeconds",
    ),
    RuleCase(
        "length without bound",
        POLICY,
        {"spec.match": {"contentLengthCharacters": {"max": 0}}},
        {"spec.match": {"contentLengthCharacters": {}}},
        "spec.match.contentLengthCharacters",
        "contentLengthCharacters needs min, max or both",
    ),
    RuleCase(
        "length in order",
        POLICY,
        {"spec.match": {"contentLengthCharacters": {"min": 1, "max": 1}}},
        {"spec.match": {"contentLengthCharacters": {"min": 2, "max": 1}}},
        "spec.match.contentLengthCharacters",
        "min must not exceed max",
    ),
    RuleCase(
        "header condition, none",
        POLICY,
        {"spec.match": {"headers": [{"name": "x", "present": False}]}},
        {"spec.match": {"headers": [{"name": "x"}]}},
        "spec.match.headers[0]",
        "a header condition takes exactly one",
    ),
    RuleCase(
        "header condition, two",
        POLICY,
        {"spec.match": {"headers": [{"name": "x", "prefix": "a"}]}},
        {"spec.match": {"headers": [{"name": "x", "exact": "a", "present": True}]}},
        "spec.match.headers[0]",
        "a header condition takes exactly one",
    ),
    # ABTest
    RuleCase(
        "policy or match, none",
        EXPERIMENT_OBJECT,
        {},
        {"spec.policyRef": REMOVED},
        "spec",
        "an experiment takes exactly one of policyRef and match",
    ),
    RuleCase(
        "policy or match, both",
        EXPERIMENT_OBJECT,
        {"spec.policyRef": REMOVED, "spec.match": {}},
        {"spec.match": {}},
        "spec",
        "an experiment takes exactly one of policyRef and match",
    ),
    RuleCase(
        "weights add up",
        EXPERIMENT_OBJECT,
        {"spec.arms.0.weightPercent": 100, "spec.arms.1.weightPercent": 0},
        {"spec.arms.0.weightPercent": 79},
        "spec.arms",
        "the weightPercent of all arms must add up to 100",
    ),
    RuleCase(
        "an arm of nothing",
        EXPERIMENT_OBJECT,
        {"spec.arms.1": {"name": "x", "bundle": PINNED, "weightPercent": 20}},
        {"spec.arms.1.modelRef": REMOVED},
        "spec.arms[1]",
        "an arm takes exactly one of modelRef",
    ),
    RuleCase(
        "an arm of two",
        EXPERIMENT_OBJECT,
        {"spec.arms.1": {"name": "x", "policyRef": {"name": "p"}, "weightPercent": 20}},
        {"spec.arms.1.policyRef": {"name": "p"}},
        "spec.arms[1]",
        "an arm takes exactly one of modelRef",
    ),
    RuleCase(
        "start before end",
        EXPERIMENT_OBJECT,
        {"spec.startTime": "2026-03-01T01:00:00+01:00", "spec.endTime": "2026-03-01T00:00:01Z"},
        {"spec.startTime": "2026-03-01T00:00:00Z", "spec.endTime": "2026-03-01T01:00:00+01:00"},
        "spec.endTime",
        "startTime must be before endTime",
    ),
    RuleCase(
        "one Primary",
        EXPERIMENT_OBJECT,
        {},
        {"spec.metrics": [{"name": n, "role": "Primary"} for n in ("Quality", "CostUSD")]},
        "spec.metrics",
        "exactly one metric must have role Primary",
    ),
    RuleCase(
        "fixed horizon",
        EXPERIMENT_OBJECT,
        {"spec.analysis": {"method": "FixedHorizon"}, "spec.endTime": "2026-03-01T00:00:00Z"},
        {"spec.analysis": {"method": "FixedHorizon"}},
        "spec.endTime",
        "method FixedHorizon is judged at endTime",
    ),
    RuleCase(
        "guardrail bound",
        EXPERIMENT_OBJECT,
        {"spec.metrics": [*EXPERIMENT["metrics"], {"name": "CostUSD", "role": "Guardrail", "maxRegressionPercent": 0}]},
        {"spec.metrics": [*EXPERIMENT["metrics"], {"name": "CostUSD", "role": "Guardrail"}]},
        "spec.metrics[1].maxRegressionPercent",
        "maxRegressionPercent goes with role Guardrail",
    ),
    RuleCase(
        "detectable difference",
        EXPERIMENT_OBJECT,
        {"spec.metrics.0.minDetectablePercent": 1},
        {
            "spec.metrics": [
                *EXPERIMENT["metrics"],
                {"name": "CostUSD", "role": "Guardrail", "maxRegressionPercent": 0, "minDetectablePercent": 1},
            ]
        },
        "spec.metrics[1].minDetectablePercent",
        "minDetectablePercent goes with role Primary",
    ),
    # WorkspaceBudget
    RuleCase(
        "limits without a limit",
        BUDGET,
        {"spec.limits": {"weeklyUSD": "1"}},
        {"spec.limits": {}},
        "spec.limits",
        "limits needs at least one",
    ),
    RuleCase(
        "limits in order",
        BUDGET,
        {"spec.limits": {"dailyUSD": "9.5", "monthlyUSD": "10.25"}},
        {"spec.limits": {"dailyUSD": "10.25", "monthlyUSD": "9.5"}},
        "spec.limits",
        "a shorter period must not allow more",
    ),
    RuleCase(
        "neighbouring limits in order",
        BUDGET,
        {"spec.limits": FULL_BUDGET["limits"]},
        {"spec.limits": {"dailyUSD": "999999999.999999", "weeklyUSD": "999999999.999998"}},
        "spec.limits",
        "a shorter period must not allow more",
    ),
    RuleCase(
        "downgrade without Downgrade",
        BUDGET,
        {"spec.onExceeded": "Downgrade", "spec.downgrade": FULL_BUDGET["downgrade"]},
        {"spec.downgrade": FULL_BUDGET["downgrade"]},
        "spec.downgrade",
        "downgrade goes with onExceeded: Downgrade only",
    ),
]
