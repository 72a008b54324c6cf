"""Objects that between them write every field of the API, and small valid ones to vary."""

from __future__ import annotations

import copy
from typing import Any

Object = dict[str, Any]

MODEL_REF: Object = {"providerRef": {"name": "openai", "namespace": "platform"}, "model": "gpt-4-turbo"}
DIGEST = "sha256:" + "a" * 64
PINNED: Object = {"uri": "s3://models/router", "digest": DIGEST}
SIGNED: Object = {
    "uri": "s3://models/router",
    "digest": DIGEST,
    "pollSeconds": 60,
    "credentialsSecretRef": {"name": "store"},
    "verification": {"publicKeySecretRef": {"name": "signing", "key": "public.pem"}},
}
CONSTRAINTS: Object = {
    "maxCostUSD": "0.05",
    "maxCostPerTokenUSD": "0.00001",
    "maxLatencyMilliseconds": 5000,
    "minSuccessPercent": "95",
    "minQualityPercent": 70,
    "requiredCapabilities": ["Tools"],
    "compliance": ["GDPR"],
    "regions": ["eu"],
}
MATCH: Object = {
    "models": ["auto", "gpt-4-turbo"],
    "workspaces": ["ws-a"],
    "agentTypes": ["creative"],
    "requestTypes": ["Chat", "Message"],
    "categories": ["coding"],
    "difficulties": ["Hard"],
    "languages": ["en"],
    "certainty": "Certain",
    "userTiers": ["premium"],
    "contentLengthCharacters": {"min": 100, "max": 2000},
    "headers": [
        {"name": "x-team", "exact": "red"},
        {"name": "x-app", "prefix": "chat-"},
        {"name": "x-debug", "present": True},
    ],
}
MODEL: Object = {
    "name": "gpt-4-turbo",
    "displayName": "GPT-4 Turbo",
    "version": "gpt-4-1106-preview",
    "type": "Chat",
    "capabilities": ["TextGeneration", "Tools", "Vision", "JSONMode", "Streaming", "Reasoning"],
    "contextWindowTokens": 128000,
    "maxOutputTokens": 4096,
    "prices": [
        {
            "effectiveTime": "2024-04-09T00:00:00Z",
            "inputUSDPerMillionTokens": "10",
            "outputUSDPerMillionTokens": "30",
            "cachedInputUSDPerMillionTokens": "5",
            "cacheWriteUSDPerMillionTokens": "0",
            "perRequestUSD": "0",
        }
    ],
    "defaults": {"temperature": "0.7", "maxOutputTokens": 1024},
    "quality": [{"category": "coding", "scorePercent": 86}],
    "compliance": ["GDPR", "HIPAA", "CCPA"],
    "tags": ["reasoning"],
    "state": "Active",
}


def envelope(kind: str, spec: Object) -> Object:
    """An object of a kind around a spec."""
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "example", "namespace": "team-red", "uid": "u-1", "generation": 3},
        "spec": copy.deepcopy(spec),
    }


PROVIDER: Object = {
    "type": "OpenAI",
    "endpoints": [{"name": "primary", "url": "https://api.openai.com/v1"}],
    "models": [{"name": "gpt-4-turbo"}],
}
POLICY: Object = {"targets": [{"name": "main", "modelRef": MODEL_REF}]}
EXPERIMENT: Object = {
    "policyRef": {"name": "creative"},
    "arms": [
        {"name": "control", "modelRef": MODEL_REF, "weightPercent": 80},
        {"name": "other", "modelRef": MODEL_REF, "weightPercent": 20},
    ],
    "metrics": [{"name": "Quality", "role": "Primary"}],
}
BUDGET: Object = {"workspace": "ws-marketing-001"}

SMALL: dict[str, Object] = {
    "ModelProvider": envelope("ModelProvider", PROVIDER),
    "RoutingPolicy": envelope("RoutingPolicy", POLICY),
    "ABTest": envelope("ABTest", EXPERIMENT),
    "WorkspaceBudget": envelope("WorkspaceBudget", BUDGET),
}

FULL_PROVIDER: Object = {
    "type": "AzureOpenAI",
    "azureOpenAI": {"apiVersion": "2024-10-21"},
    "endpoints": [
        {
            "name": "primary",
            "url": "https://api.openai.com/v1",
            "role": "Primary",
            "weight": 100,
            "region": "eu",
            "headers": [
                {"name": "x-plain", "value": "yes"},
                {"name": "Authorization", "valueFrom": {"secretRef": {"name": "keys", "key": "second"}}},
            ],
            "tls": {
                "caBundleRef": {"name": "ca", "key": "ca.crt"},
                "serverName": "llm.example.com",
                "clientCertSecretRef": {"name": "client"},
            },
            "healthCheck": {
                "path": "/models",
                "periodSeconds": 15,
                "timeoutSeconds": 3,
                "failureThreshold": 3,
                "successThreshold": 1,
            },
        },
        {"name": "spare", "url": "http://[fd00::1]:8080", "role": "Backup"},
    ],
    "credentials": {"secretRef": {"name": "openai-key", "key": "api-key"}},
    "models": [MODEL, {"name": "ada", "type": "Embedding", "capabilities": ["Embeddings"]}],
    "limits": {"requestsPerMinute": 3000, "tokensPerMinute": 300000, "maxConcurrentRequests": 200},
    "timeouts": {"connectSeconds": 2, "firstByteSeconds": 20, "idleSeconds": 30, "totalSeconds": 120},
    "circuitBreaker": {
        "windowSeconds": 60,
        "minRequests": 10,
        "failurePercent": 50,
        "consecutiveFailures": 5,
        "openSeconds": 10,
        "maxOpenSeconds": 120,
        "halfOpenRequests": 1,
    },
    "allowedNamespaces": {
        "from": "Selector",
        "selector": {
            "matchLabels": {"team": "red"},
            "matchExpressions": [{"key": "example.com/tier", "operator": "In", "values": ["gold"]}],
        },
    },
}
BEDROCK: Object = {
    "type": "Bedrock",
    "bedrock": {"region": "eu-central-1", "roleARN": "arn:aws:iam::123456789012:role/llm"},
    "models": [{"name": "claude"}],
}
SIMULATED: Object = {
    "type": "Simulated",
    "simulated": {
        "firstByteMilliseconds": 50,
        "perTokenMilliseconds": 5,
        "errorPercent": 0,
        "outputTokens": 120,
        "seed": 1,
    },
    "models": [{"name": "sim"}],
}
FULL_LEARNED: Object = {
    "precedence": "Override",
    "priority": 100,
    "suspend": True,
    "match": MATCH,
    "strategy": "Learned",
    "targets": [{"name": "main", "modelRef": MODEL_REF, "weight": 70, "fallbackOrder": 1}],
    "fallbacks": [{"on": ["Error", "Timeout", "RateLimited", "ContextWindow", "ContentPolicy"], "modelRef": MODEL_REF}],
    "canary": {
        "bundle": SIGNED,
        "weightPercent": 20,
        "unit": "Session",
        "steps": [{"weightPercent": 5, "pauseSeconds": 300}],
        "analysis": {
            "intervalSeconds": 60,
            "minSamples": 200,
            "alphaPercent": 5,
            "metrics": [
                {"name": "ErrorPercent", "maxIncreasePercent": 1},
                {"name": "LatencyP95Milliseconds", "max": 2000},
            ],
        },
    },
    "affinity": {"unit": "Session", "ttlSeconds": 3600},
    "constraints": CONSTRAINTS,
    "learned": {
        "bundle": SIGNED,
        "minConfidencePercent": 70,
        "fallbackStrategy": "Weighted",
        "objective": {"costWeight": 1, "latencyWeight": 1, "qualityWeight": 4},
    },
    "retries": {
        "attempts": 2,
        "perAttemptSeconds": 30,
        "totalSeconds": 60,
        "retryOn": ["ConnectFailure", "Timeout", "ServerError", "RateLimited"],
    },
    "hedge": {"afterPercentile": 95, "maxPercent": 5},
    "timeouts": {"connectSeconds": 1, "firstByteSeconds": 10, "idleSeconds": 10, "totalSeconds": 60},
    "circuitBreaker": {
        "windowSeconds": 30,
        "minRequests": 5,
        "failurePercent": 40,
        "consecutiveFailures": 3,
        "openSeconds": 5,
        "maxOpenSeconds": 60,
        "halfOpenRequests": 2,
    },
    "cache": {"ttlSeconds": 600, "scope": "Workspace"},
    "shadow": {"modelRef": MODEL_REF, "percent": 5, "budgetUSDPerDay": "5"},
}
FULL_BANDIT: Object = {
    "strategy": "Bandit",
    "targets": [{"name": "a", "modelRef": MODEL_REF}, {"name": "b", "modelRef": MODEL_REF}],
    "canary": {"modelRef": MODEL_REF, "weightPercent": 20},
    "bandit": {
        "algorithm": "ThompsonSampling",
        "epsilonPercent": 10,
        "floorPercent": 5,
        "ceilingPercent": 90,
        "contextBy": ["Category"],
        "halfLifeHours": 72,
        "reward": {"qualityWeight": 4, "costWeight": 1, "latencyWeight": 1},
    },
}
FULL_EXPERIMENT: Object = {
    "match": MATCH,
    "suspend": False,
    "arms": [
        {"name": "control", "modelRef": MODEL_REF, "weightPercent": 60},
        {"name": "learned", "bundle": SIGNED, "weightPercent": 20},
        {"name": "policy", "policyRef": {"name": "other"}, "weightPercent": 20},
    ],
    "unit": "User",
    "startTime": "2026-03-01T00:00:00Z",
    "endTime": "2026-03-15T00:00:00+01:00",
    "metrics": [
        {"name": "Quality", "role": "Primary", "direction": "Increase", "minDetectablePercent": 3},
        {"name": "LatencyMilliseconds", "role": "Guardrail", "maxRegressionPercent": 10},
    ],
    "analysis": {"method": "AlwaysValid", "alphaPercent": 5, "minSamplesPerArm": 200, "intervalSeconds": 60},
    "onWinner": "Promote",
    "onGuardrailBreach": "Stop",
}
FULL_BUDGET: Object = {
    "workspace": "ws-marketing-001",
    "limits": {"dailyUSD": "100", "weeklyUSD": "500", "monthlyUSD": "2000"},
    "timeZone": "Europe/Berlin",
    "warnAtPercent": [80, 95],
    "onExceeded": "Downgrade",
    "downgrade": {"targets": [{"modelRef": MODEL_REF}]},
    "onStoreUnavailable": {"action": "Allow", "sliceUSD": "1"},
    "allowedModels": [MODEL_REF],
    "constraints": CONSTRAINTS,
    "compliance": ["GDPR"],
    "rateLimits": [{"resource": "Requests", "scope": "Workspace", "limit": 1000, "windowSeconds": 900}],
    "access": [{"name": "ci", "secretRef": {"name": "ws-keys", "key": "ci"}, "role": "User"}],
}

FULL: dict[str, Object] = {
    "AzureOpenAI provider": envelope("ModelProvider", FULL_PROVIDER),
    "Bedrock provider": envelope("ModelProvider", BEDROCK),
    "Simulated provider": envelope("ModelProvider", SIMULATED),
    "learned policy": envelope("RoutingPolicy", FULL_LEARNED),
    "bandit policy": envelope("RoutingPolicy", FULL_BANDIT),
    "experiment on a policy": envelope("ABTest", EXPERIMENT),
    "experiment on a match": envelope("ABTest", FULL_EXPERIMENT),
    "budget": envelope("WorkspaceBudget", FULL_BUDGET),
}

REMOVED = object()


def with_change(base: Object, changes: dict[str, Any]) -> Object:
    """A copy with `changes` by path: `spec.targets.0.weight`; REMOVED takes the field away."""
    changed = copy.deepcopy(base)
    for path, value in changes.items():
        node: Any = changed
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        if value is REMOVED:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
    return changed
