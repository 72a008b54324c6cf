"""The CustomResourceDefinition of a kind, as plain data."""

from __future__ import annotations

from typing import Any

from fairlead_crds.generate.schema import Schema, structural_schema
from fairlead_crds.kinds import GROUP, VERSION, Kind
from fairlead_crds.not_implemented import gap_at

_API_VERSION = "Version of the schema this object is written in."
_KIND = "What the object is."


def _column(name: str, path: str, description: str, kind: str = "string", *, wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "description": description, "jsonPath": path}
    return column | {"priority": 1} if wide else column


def _condition(name: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].{field}'


_LAST_COLUMNS = (
    _column("Programmed", _condition("Programmed", "reason"), "What the routers run of it.", wide=True),
    _column("Ready", _condition("Ready", "status"), "Whether every ready router runs this generation."),
    _column("Reason", _condition("Ready", "reason"), "Why it is ready or not."),
    _column("Age", ".metadata.creationTimestamp", "Time since creation.", "date"),
)

_COLUMNS: dict[str, tuple[dict[str, Any], ...]] = {
    "ModelProvider": (
        _column("Type", ".spec.type", "Which protocol the upstream speaks."),
        _column("Models", ".status.modelCount", "Models in force.", "integer"),
        _column("Policies", ".status.usedByPolicies", "Policies that name its models.", "integer"),
        _column("Degraded", _condition("Degraded", "reason"), "What is wrong with it; empty: nothing known."),
        _column("Endpoint", ".spec.endpoints[0].url", "Where the first endpoint is.", wide=True),
    ),
    "RoutingPolicy": (
        _column("Strategy", ".spec.strategy", "How one of the targets is chosen."),
        _column("Priority", ".spec.priority", "Higher is asked first.", "integer"),
        _column("Target", ".spec.targets[0].modelRef.model", "The model of the first target."),
        _column("Canary", ".status.canary.weightPercent", "Share of the canary in percent.", "integer"),
        _column("Precedence", ".spec.precedence", "On which side of the tenants' policies it stands.", wide=True),
        _column("OverriddenBy", ".status.effective.overriddenBy[0]", "The policy that takes its requests.", wide=True),
    ),
    "ABTest": (
        _column("Policy", ".spec.policyRef.name", "The policy it experiments on."),
        _column("Decision", ".status.decision", "Where the experiment stands."),
        _column("Winner", ".status.winner", "The arm that won."),
        _column("Metric", '.spec.metrics[?(@.role=="Primary")].name', "The metric that decides.", wide=True),
        _column("Ends", ".spec.endTime", "When it ends.", wide=True),
    ),
    "WorkspaceBudget": (
        _column("Workspace", ".spec.workspace", "The workspace claimed."),
        _column("Limit/Day", ".spec.limits.dailyUSD", "US dollars it may spend per day."),
        _column("Limit/Week", ".spec.limits.weeklyUSD", "US dollars it may spend per week."),
        _column("Limit/Month", ".spec.limits.monthlyUSD", "US dollars it may spend per month."),
        _column("Spent/Month", '.status.windows[?(@.name=="Monthly")].spentUSD', "US dollars spent this month."),
        _column("OnExceeded", ".spec.onExceeded", "What happens beyond a limit.", wide=True),
    ),
}

_SELECTABLE: dict[str, tuple[str, ...]] = {
    "ModelProvider": (".spec.type",),
    "RoutingPolicy": (".spec.strategy", ".spec.precedence"),
    "ABTest": (".spec.policyRef.name",),
    "WorkspaceBudget": (".spec.workspace",),
}


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CRD of one kind, apiextensions.k8s.io/v1."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["fairlead"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [*_COLUMNS[kind.name], *_LAST_COLUMNS],
                    "selectableFields": [{"jsonPath": path} for path in _SELECTABLE[kind.name]],
                    "schema": {"openAPIV3Schema": _object_schema(kind)},
                }
            ],
        },
    }


PENDING = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "Pending",
    "message": "the operator has not looked at it yet",
    "lastTransitionTime": "1970-01-01T00:00:00Z",
}
"""What the API server says of an object until the operator does. To kstatus, and so Flux, one without conditions is done."""


def _object_schema(kind: Kind) -> Schema:
    spec = structural_schema(kind.spec, "spec", lambda path: _would_claim(kind, path), for_explain=True)
    return {
        "description": (kind.model.__doc__ or "").strip(),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string", "maxLength": 64},
            "kind": {"description": _KIND, "type": "string", "maxLength": 64},
            "metadata": {"type": "object"},  # the API server allows no more here
            "spec": spec,
            "status": structural_schema(kind.status, "status") | {"default": {"conditions": [PENDING]}},
        },
    }


def _would_claim(kind: Kind, path: str) -> bool:
    """Whether the API server, by writing a default, would make every object claim a field that is not implemented."""
    gap = gap_at(kind.name, path)
    return gap is not None and gap.path == path
