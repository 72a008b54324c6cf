"""The four kinds as frozen pydantic models, with their rules beside them.

`model_provider`, `routing_policy`, `ab_test` and `workspace_budget` each hold one kind with its spec and status; the other
modules hold blocks of them, and `common`, `scalars` and `rules` what all are made of. Nothing here knows how an object
was read, compiled or published.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_crds.kinds.ab_test import ABTest, ABTestSpec, ABTestStatus
from fairlead_crds.kinds.common import Model
from fairlead_crds.kinds.conditions import Status
from fairlead_crds.kinds.meta import ObjectMeta
from fairlead_crds.kinds.model_provider import ModelProvider, ModelProviderSpec, ModelProviderStatus
from fairlead_crds.kinds.routing_policy import RoutingPolicy, RoutingPolicySpec, RoutingPolicyStatus
from fairlead_crds.kinds.workspace_budget import WorkspaceBudget, WorkspaceBudgetSpec, WorkspaceBudgetStatus

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

ParsedObject = ModelProvider | RoutingPolicy | ABTest | WorkspaceBudget


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind with everything that is known about it by name."""

    name: str
    plural: str
    short_name: str
    model: type[ModelProvider] | type[RoutingPolicy] | type[ABTest] | type[WorkspaceBudget]
    spec: type[Model]
    status: type[Status]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("ModelProvider", "modelproviders", "mprov", ModelProvider, ModelProviderSpec, ModelProviderStatus),
        Kind("RoutingPolicy", "routingpolicies", "rpol", RoutingPolicy, RoutingPolicySpec, RoutingPolicyStatus),
        Kind("ABTest", "abtests", "abt", ABTest, ABTestSpec, ABTestStatus),
        Kind("WorkspaceBudget", "workspacebudgets", "wsb", WorkspaceBudget, WorkspaceBudgetSpec, WorkspaceBudgetStatus),
    )
}

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "ABTest",
    "Kind",
    "Model",
    "ModelProvider",
    "ObjectMeta",
    "ParsedObject",
    "RoutingPolicy",
    "WorkspaceBudget",
]
