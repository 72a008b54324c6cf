"""What the tests of this folder say to the API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from devcluster.control_plane import ControlPlane
from fairlead_crds.kinds import API_VERSION, KINDS
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from tests.crds.crd_objects import REMOVED, Object, with_change

_AT_ONCE = 32
NAMESPACE = "default"


@asynccontextmanager
async def administrator(control_plane: ControlPlane) -> AsyncIterator[KubeClient]:
    """A client that may do everything."""
    admin = control_plane.admin
    access = KubeAccess(control_plane.url, control_plane.ca_file, client_certificate=admin.public, client_key=admin.key)
    async with KubeClient(access, user_agent="tests", request_seconds=50) as client:
        yield client


def placed(document: Object, name: str = "example") -> Object:
    """The object as a person would write it, in a namespace that exists."""
    return {**document, "metadata": {"name": name, "namespace": NAMESPACE}}


def collection(kind: str, namespace: str = NAMESPACE) -> str:
    """Path of the objects of a kind."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{KINDS[kind].plural}"


async def dry_run(control_plane: ControlPlane, documents: Iterable[Object]) -> list[Object | KubeError]:
    """What the API server would store of each object, or why it would refuse it; a field it does not know is refused."""
    asking = asyncio.Semaphore(_AT_ONCE)
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    async with administrator(control_plane) as client:

        async def ask(document: Object) -> Object | KubeError:
            async with asking:
                try:
                    return await client.request("POST", collection(document["kind"]), query, document)
                except KubeError as error:
                    if error.status not in {400, 422}:
                        raise
                    return error

        return await asyncio.gather(*(ask(placed(document)) for document in documents))


def value_at(document: Object, path: str) -> Any:
    """The value at ``spec.targets.0.weight``, or ``REMOVED``."""
    node: Any = document
    for part in path.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return REMOVED
    return node


__all__ = ["NAMESPACE", "administrator", "collection", "dry_run", "placed", "value_at", "with_change"]
