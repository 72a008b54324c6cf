"""The generic rules of kstatus, by which Flux and others decide whether a custom resource is done.

After sigs.k8s.io/cli-utils pkg/kstatus/status: `checkGenericProperties` and `checkGeneration` in generic.go, then, for
kinds without rules of their own, `checkReadyCondition`, as `Compute` in status.go calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compute(item: Mapping[str, Any]) -> str:
    """Terminating, InProgress, Failed or Current."""
    metadata, status = item.get("metadata", {}), item.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    if generation is not None and observed is not None and generation != observed:
        return "InProgress"
    conditions = status.get("conditions", [])
    for condition in conditions:
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    for condition in conditions:
        if condition["type"] == "Ready":
            return {"True": "Current", "False": "InProgress", "Unknown": "InProgress"}[condition["status"]]
    return "Current"
