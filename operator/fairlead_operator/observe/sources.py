"""The five sorts of objects that the operator reads, and where the API serves them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fairlead_crds.compile.secrets import CREDENTIALS_LABEL, CREDENTIALS_LABEL_VALUE
from fairlead_crds.kinds import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class _Kind:
    group: str
    version: str
    plural: str
    namespaced: bool = True
    label_selector: str = ""


class Source(Enum):
    """Each watched resource. The value says where it is."""

    PROVIDER = _Kind(GROUP, VERSION, "modelproviders")
    POLICY = _Kind(GROUP, VERSION, "routingpolicies")
    TEST = _Kind(GROUP, VERSION, "abtests")
    BUDGET = _Kind(GROUP, VERSION, "workspacebudgets")
    NAMESPACE = _Kind("", "v1", "namespaces", namespaced=False)
    SECRET = _Kind("", "v1", "secrets", label_selector=f"{CREDENTIALS_LABEL}={CREDENTIALS_LABEL_VALUE}")

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the four kinds with a status."""
        return self.value.group == GROUP

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The collection, cluster-wide or of one namespace, or one object in it."""
        kind = self.value
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{namespace}" if namespace is not None and kind.namespaced else ""
        return f"{root}{place}/{kind.plural}" + ("" if name is None else f"/{name}")


OURS = tuple(source for source in Source if source.is_ours)
BY_KIND = {
    "ModelProvider": Source.PROVIDER,
    "RoutingPolicy": Source.POLICY,
    "ABTest": Source.TEST,
    "WorkspaceBudget": Source.BUDGET,
}
"""By the name that an object itself bears."""
