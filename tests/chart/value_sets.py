"""Values that installations of different needs would give; tests and snapshots go over all of them."""

from __future__ import annotations

from typing import Any

_DIGEST = "sha256:" + "0123456789abcdef" * 4

VALUE_SETS: dict[str, dict[str, Any]] = {
    "default": {},
    "simulated": {"simulatedProvider": {"enabled": True, "extraArgs": ["--error-percent=5"]}},
    "production": {
        "image": {"repository": "registry.example/llm/fairlead", "digest": _DIGEST},
        "imagePullSecrets": [{"name": "pull"}],
        "operator": {"replicas": 2, "defaultNamespace": "platform", "settings": {"leaseDuration": 20}},
        "router": {
            "replicas": 3,
            "workers": "auto",
            "resources": {"limits": {"cpu": 4}},
            "keys": {"existingSecret": "router-keys"},
            "apiKeys": {"existingSecret": "api-keys"},
            "settings": {"maxBodyBytes": 1048576, "queueSeconds": 2.5, "idempotency": False},
            "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
            "autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 12},
            "priorityClassName": "system-cluster-critical",
        },
        "classifier": {"enabled": True, "replicas": 2},
        "redis": {"enabled": True, "existingSecret": "redis-password"},
        "rbac": {"secretNamespaces": ["team-a", "team-b"]},
        "ingress": {"enabled": True, "className": "public", "hosts": ["llm.example.org"]},
        "tls": {"existingSecret": "llm-tls", "trust": {"configMap": "authorities"}},
        "test": {"apiKeySecret": "test-key"},
    },
    "external-redis": {
        "router": {"replicas": 2, "keys": {"existingSecret": "router-keys"}},
        "redis": {"url": "rediss://redis.example.org:6380/1", "existingSecret": "redis", "prefix": "blue"},
    },
    "namespaced": {
        "crds": {"enabled": False},
        "rbac": {"watchNamespaces": ["team-a", "team-b"], "secretNamespaces": ["team-a"]},
        "router": {"keys": {"existingSecret": "router-keys"}},
    },
    "bare": {
        "fullnameOverride": "gateway",
        "crds": {"keep": False},
        "rbac": {"create": False},
        "serviceAccount": {"create": False},
        "networkPolicy": {"enabled": False},
        "operator": {"podDisruptionBudget": {"enabled": False}},
        "router": {
            "podDisruptionBudget": {"enabled": False},
            "keys": {"existingSecret": "router-keys"},
            "preStopSleepSeconds": 0,
        },
        "commonLabels": {"team": "platform"},
        "commonAnnotations": {"example.org/owner": "platform"},
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-extra"},
                "data": {"a": "b"},
            }
        ],
    },
}
