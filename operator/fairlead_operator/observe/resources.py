"""From the inventory to the compiler's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead_crds.compile.declared import created_at
from fairlead_crds.compile.resources import Namespace, Resources
from fairlead_operator.observe.inventory import Inventory
from fairlead_operator.observe.sources import OURS, Source
from fairlead_operator.publish.credentials import Place, Values, read_secret


def resources_of(inventory: Inventory) -> tuple[Resources, Values]:
    """What to compile, and the secret values that go beside it."""
    objects = tuple(item.declared for source in OURS for item in inventory.items[source].values())
    namespaces = tuple(_namespace(item.declared) for item in inventory.items[Source.NAMESPACE].values())
    secrets = []
    values: dict[Place, str] = {}
    for item in inventory.items[Source.SECRET].values():
        if (item.declared.get("metadata") or {}).get("deletionTimestamp"):
            continue
        versions, of_secret = read_secret(item.declared)
        secrets.append(versions)
        values |= of_secret
    return Resources(objects, namespaces, tuple(secrets)), values


def _namespace(raw: Mapping[str, Any]) -> Namespace:
    metadata = raw.get("metadata") or {}
    return Namespace(
        metadata.get("name", ""),
        metadata.get("uid", ""),
        created_at(metadata),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )
