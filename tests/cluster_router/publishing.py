"""Stands where the operator will: publishes snapshots and credentials at a real API server, well or badly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devcluster.control_plane import ControlPlane
from fairlead_contract.delivery import credentials_fields, snapshot_fields
from fairlead_contract.snapshot import Credentials, Sealed
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import KubeClient
from fairlead_router.config.doors.api_watch import PublishedObjects

CONFIG_MAP, SECRET = "fairlead-snapshot", "fairlead-credentials"


class Publisher:
    """Writes both objects in one namespace. Use as an async context manager."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._core = f"/api/v1/namespaces/{namespace}"
        self._client = KubeClient(self.administrator, user_agent="fairlead-tests")

    async def __aenter__(self) -> Publisher:
        await self._client.__aenter__()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self._client.create("/api/v1/namespaces", namespace)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.__aexit__(*error)

    @property
    def administrator(self) -> KubeAccess:
        """May do everything."""
        pair = self.cluster.admin
        return KubeAccess(
            self.cluster.url, self.cluster.ca_file, client_certificate=pair.public, client_key=pair.key, namespace="x"
        )

    def published(self, access: KubeAccess | None = None) -> PublishedObjects:
        """What a router is to follow."""
        return PublishedObjects(access or self.administrator, self.namespace, CONFIG_MAP, SECRET)

    async def publish(self, snapshot: Sealed, credentials: Credentials | None = None) -> None:
        """Both objects, credentials first, as the operator does."""
        await self.put_credentials(credentials or Credentials())
        await self.put_snapshot(snapshot)

    async def put_snapshot(self, snapshot: Sealed) -> None:
        """The ConfigMap."""
        await self.put_config_map(snapshot_fields(snapshot))

    async def put_config_map(self, fields: dict[str, Any]) -> None:
        """The ConfigMap, with these very fields."""
        await self._put("ConfigMap", "configmaps", CONFIG_MAP, fields)

    async def put_credentials(self, credentials: Credentials) -> None:
        """The Secret."""
        await self.put_secret(credentials_fields(credentials))

    async def put_secret(self, fields: dict[str, Any]) -> None:
        """The Secret, with these very fields."""
        await self._put("Secret", "secrets", SECRET, fields)

    async def delete(self, collection: str, name: str) -> None:
        """Delete an object."""
        await self._client.request("DELETE", f"{self._core}/{collection}/{name}")

    async def router_account(self, token_file: Path, rules: Sequence[tuple[str, str]]) -> KubeAccess:
        """A ServiceAccount that may get, list and watch the named objects (collection, name), and its access."""
        name = "router"
        metadata = {"name": name, "namespace": self.namespace}
        await self._client.create(
            f"{self._core}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        )
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}"
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": [collection],
                    "resourceNames": [each],
                    "verbs": ["get", "list", "watch"],
                }
                for collection, each in rules
            ],
        }
        await self._client.create(f"{rbac}/roles", role)
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        await self._client.create(f"{rbac}/rolebindings", binding)
        token_file.write_text(  # noqa: ASYNC240 - a few bytes
            await self.cluster.token(self.namespace, name)
        )
        return KubeAccess(self.cluster.url, self.cluster.ca_file, token_file=token_file, namespace=self.namespace)

    async def allow(self, rules: Sequence[tuple[str, str]]) -> None:
        """Give the ServiceAccount of :meth:`router_account` other rights."""
        changed = json.dumps(
            {
                "rules": [
                    {"apiGroups": [""], "resources": [kind], "resourceNames": [name], "verbs": ["get", "list", "watch"]}
                    for kind, name in rules
                ]
            }
        )
        await self.cluster.kubectl("patch", "role", "router", f"--namespace={self.namespace}", "--patch", changed)

    async def _put(self, kind: str, collection: str, name: str, fields: dict[str, Any]) -> None:
        metadata = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
        await self._client.apply(f"{self._core}/{collection}/{name}", body, manager="fairlead-tests")
