"""Writes ConfigMap and Secret, and keeps a deposed leader from doing so.

The Secret goes first, holding also the versions that the snapshot before it names: so a router never sees a route whose
credential has not been sent. Each write bears the resource version it is based on, and a new leader's first write is a
claim that changes that version: what an older leader still had on its way is refused by the API server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from fairlead_contract.delivery import credentials_fields, credentials_in, is_blank, snapshot_fields, snapshot_in
from fairlead_contract.snapshot import Credentials, Sealed, SnapshotRejected
from fairlead_kube.client import Json, KubeClient
from fairlead_kube.errors import KubeError
from fairlead_operator.lead.elector import Elector, NotLeader

logger = logging.getLogger("fairlead.publish")

MANAGER = "fairlead-operator"
TERM_KEY = "term"
_NO_TERM = 2**31 - 2
"""What the Lease could not count on from, as it counts in 32 bits: nobody's term but somebody's mistake."""
_LABELS = {"app.kubernetes.io/part-of": "fairlead"}
"""None that a chart, which may have made the objects, gives another value."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is in the cluster."""

    sealed: Sealed | None
    """``None``: nothing yet, or nothing that can be read."""
    credentials: Credentials
    config_map_version: str
    """Resource version; empty if the ConfigMap does not exist."""
    secret_version: str
    """Likewise."""
    term: int


class Publisher:
    """One ConfigMap and one Secret in one namespace."""

    def __init__(self, client: KubeClient, elector: Elector, namespace: str, config_map: str, secret: str) -> None:
        self._client = client
        self._elector = elector
        self._namespace = namespace
        self._config_maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._config_map = config_map
        self._secret = secret

    async def read(self) -> Published:
        """What is published. Unreadable content is named in the log and counts as none; so does an object without content."""
        found = await self._find(f"{self._config_maps}/{self._config_map}")
        secret = await self._find(f"{self._secrets}/{self._secret}")
        sealed, credentials = None, Credentials()
        if found is not None and not is_blank(found):
            try:
                sealed = snapshot_in(found)
            except SnapshotRejected as rejected:
                logger.error("the published snapshot cannot be read and will be written anew: %s", rejected)
        if secret is not None and not is_blank(secret):
            try:
                credentials = credentials_in(secret)
            except ValueError as error:
                logger.error("the published credentials cannot be read and will be written anew: %s", error)
        return Published(sealed, credentials, _version(found), _version(secret), _term(found))

    async def publish(self, sealed: Sealed, credentials: Credentials, before: Published) -> Published:
        """Write both. Raises :class:`NotLeader`, or :class:`KubeError` with ``conflict`` if somebody else wrote since."""
        self._elector.require()
        if before.term > self._elector.term:
            raise NotLeader
        secret_version = before.secret_version
        if credentials != before.credentials:
            secret_version = await self._write_credentials(credentials, before)
        self._elector.require()
        body: Json = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._config_map, "labels": _LABELS},
            **snapshot_fields(sealed),
        }
        body["data"] = {**body.get("data", {}), TERM_KEY: str(self._elector.term)}
        if before.config_map_version:
            body["metadata"]["resourceVersion"] = before.config_map_version
            written = await self._client.apply(f"{self._config_maps}/{self._config_map}", body, manager=MANAGER)
        else:
            # Created, not applied: an apply without a version would overwrite what another leader has just made.
            written = await self._client.request("POST", self._config_maps, {"fieldManager": MANAGER}, body)
        return Published(sealed, credentials, _version(written), secret_version, self._elector.term)

    async def prune(self, credentials: Credentials, before: Published) -> Published:
        """Leave only ``credentials``: no router needs older versions any more."""
        self._elector.require()
        secret_version = await self._write_credentials(credentials, before)
        return Published(before.sealed, credentials, before.config_map_version, secret_version, before.term)

    async def _write_credentials(self, credentials: Credentials, before: Published) -> str:
        body: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self._secret, "labels": _LABELS},
            **credentials_fields(credentials),
        }
        if before.secret_version:
            body["metadata"]["resourceVersion"] = before.secret_version
            return _version(await self._client.apply(f"{self._secrets}/{self._secret}", body, manager=MANAGER))
        return _version(await self._client.request("POST", self._secrets, {"fieldManager": MANAGER}, body))

    async def _find(self, path: str) -> Json | None:
        try:
            return await self._client.get(path)
        except KubeError as error:
            if error.not_found:
                return None
            raise


def _version(found: Json | None) -> str:
    return "" if found is None else str((found.get("metadata") or {}).get("resourceVersion") or "")


def _term(found: Json | None) -> int:
    text = str(((found or {}).get("data") or {}).get(TERM_KEY, ""))
    term = int(text) if text.isascii() and text.isdecimal() else -1
    return term if term < _NO_TERM else -1
