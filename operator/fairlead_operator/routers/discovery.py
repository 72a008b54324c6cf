"""The ready routers, from EndpointSlices or from a list of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SERVICE_LABEL = "kubernetes.io/service-name"


def ready_addresses(slices: Iterable[Mapping[str, Any]], port_name: str) -> tuple[str, ...]:
    """URLs of the admin ports of all ready endpoints, sorted, each once.

    An endpoint that is being deleted is not ready. One whose readiness is unknown counts as ready, as the API asks for.
    """
    found: set[str] = set()
    for each in slices:
        port = next((item.get("port") for item in each.get("ports") or () if item.get("name") == port_name), None)
        if port is None:
            continue
        for endpoint in each.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            if conditions.get("ready") is False or conditions.get("terminating") is True:
                continue
            for address in endpoint.get("addresses") or ():
                host = f"[{address}]" if ":" in address else address
                found.add(f"http://{host}:{port}")
    return tuple(sorted(found))
