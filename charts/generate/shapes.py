"""Shapes of values that are used more than once, by the names that ``values.yaml`` calls them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from fairlead_operator.settings import Settings as OperatorSettings
from fairlead_router.settings import Settings as RouterSettings

Schema = dict[str, Any]

_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_QUANTITY: Schema = {"type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"}
_OF_THE_CHART = frozenset(
    {
        *("host", "port", "admin_host", "admin_port", "http_host", "http_port"),
        *("snapshot_config_map", "credentials_secret", "snapshot_namespace", "last_good_dir"),
        *("namespace", "watch_namespaces", "secret_namespaces", "platform_namespaces", "default_namespace"),
        *("router_service", "router_admin_port", "routers", "lease_name", "identity", "log_level", "access_log"),
        *("workers", "replicas", "drain_seconds", "shutdown_seconds", "allow_networks", "allow_unshared_store"),
        *("api_keys_file", "draw_key", "cache_key", "cache_key_file", "redis_url", "redis_prefix", "store_required"),
        "redis_password_file",
    }
)
"""Settings that have values of their own, or that the templates depend on."""
_FROM_OPENTELEMETRY = frozenset({"otlp_traces_endpoint", "otlp_logs_endpoint"})
"""Read from the variables of OpenTelemetry, which go into ``extraEnv``."""


@cache
def shapes() -> Mapping[str, Schema]:
    """Each shape as a JSON Schema."""
    texts: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}
    namespaces: Schema = {"type": "array", "items": {"type": "string", "pattern": f"^{_NAMESPACE}$"}}
    quantities: Schema = {"type": "object", "additionalProperties": _QUANTITY}
    port: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
    return {
        "countOrPercent": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+%$"},
        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        "extraObjects": {"type": "array", "items": {"type": ["object", "string"]}},
        "names": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "minLength": 1}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "namespaces": namespaces,
        "namespacesOrAll": {"type": "array", "items": {"type": "string", "pattern": rf"^({_NAMESPACE}|\*)$"}},
        "object": {"type": "object"},
        "objects": {"type": "array", "items": {"type": "object"}},
        "operatorSettings": _settings(OperatorSettings),
        "port": port,
        "ports": {"type": "array", "items": port, "minItems": 1},
        "quantity": _QUANTITY,
        "redisMemory": {"type": "string", "pattern": "^[0-9]+(b|kb|mb|gb)?$"},
        "redisUrl": {"type": "string", "pattern": r"^((redis|rediss|unix|redis\+sentinel|rediss\+sentinel)://.+)?$"},
        "resources": {
            "type": "object",
            "properties": {
                "requests": quantities,
                "limits": quantities,
                "claims": {"type": "array", "items": {"type": "object"}},
            },
            "additionalProperties": False,
        },
        "routerSettings": _settings(RouterSettings),
        "strings": {"type": "object", "additionalProperties": {"type": "string"}},
        "texts": texts,
    }


def _settings(of: type[Any]) -> Schema:
    """A map of settings in camelCase: what their dataclass has, less what the chart itself decides."""
    fields = [
        field
        for field in dataclasses.fields(of)
        if field.name not in _OF_THE_CHART and field.name not in _FROM_OPENTELEMETRY
    ]
    return {
        "type": "object",
        "properties": {_camel(field.name): _setting(str(field.type)) for field in sorted(fields, key=lambda f: f.name)},
        "additionalProperties": False,
    }


def _setting(annotation: str) -> Schema:
    kinds: Iterable[str] = re.findall(r"[a-z]+", annotation.lower())
    for kind, schema in (
        ("tuple", {"type": "array", "items": {"type": "string"}}),
        ("bool", {"type": "boolean"}),
        ("int", {"type": "integer", "minimum": 0}),
        # `--set` makes a string of 0.5.
        ("float", {"type": ["number", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]+)?$"}),
    ):
        if kind in kinds:
            return schema
    return {"type": "string"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
