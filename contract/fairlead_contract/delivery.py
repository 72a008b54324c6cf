"""How snapshot and credentials lie in the two objects that the operator publishes and every router reads.

A ConfigMap holds the snapshot as binary data, with its manifest beside it for people; a Secret holds the credentials. Each
is written whole or not at all, but not both at once: a snapshot whose credentials are late waits in the router.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from fairlead_contract.snapshot import Credentials, Manifest, RejectReason, Sealed, SnapshotRejected

SNAPSHOT_KEY = "snapshot"
"""In ``binaryData`` of the ConfigMap, and the file's name where it is mounted: ``Sealed.to_bytes()``."""

MANIFEST_KEY = "manifest.json"
"""In ``data`` of the ConfigMap: the snapshot's manifest, for people. One that disagrees betrays a half-written object."""

CREDENTIALS_KEY = "credentials"
"""In ``data`` of the Secret, and the file's name where it is mounted: ``Credentials`` as JSON."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def snapshot_fields(sealed: Sealed) -> dict[str, dict[str, str]]:
    """``data`` and ``binaryData`` of a ConfigMap that delivers ``sealed``."""
    readable = msgspec.json.format(msgspec.json.encode(sealed.manifest), indent=2).decode()
    return {
        "data": {MANIFEST_KEY: readable + "\n"},
        "binaryData": {SNAPSHOT_KEY: base64.b64encode(sealed.to_bytes()).decode()},
    }


def credentials_fields(credentials: Credentials) -> dict[str, dict[str, str]]:
    """``data`` of a Secret that delivers ``credentials``."""
    return {"data": {CREDENTIALS_KEY: base64.b64encode(msgspec.json.encode(credentials)).decode()}}


def is_blank(found: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap or Secret holds nothing, as one that a chart has made and no operator has written yet."""
    return not found.get("data") and not found.get("binaryData")


def snapshot_in(config_map: Mapping[str, Any]) -> Sealed:
    """The snapshot in a ConfigMap; its body is not looked at. Raises :class:`SnapshotRejected`."""
    data = _section(config_map, "data").get(MANIFEST_KEY)
    if data is None:
        raise _malformed(f"no data[{MANIFEST_KEY!r}]: half-written, or not the operator's")
    try:
        sealed = Sealed.from_bytes(_decoded(config_map, "binaryData", SNAPSHOT_KEY))
    except ValueError as error:
        raise _malformed(str(error)) from error
    try:
        beside = msgspec.json.decode(data, type=Manifest)
    except (TypeError, *_UNREADABLE) as error:
        raise _malformed(f"data[{MANIFEST_KEY!r}] is no manifest: {error}") from error
    if beside != sealed.manifest:
        inside = sealed.manifest
        raise _malformed(
            f"half-written: data[{MANIFEST_KEY!r}] speaks of {_name(beside)}, "
            f"binaryData[{SNAPSHOT_KEY!r}] holds {_name(inside)}"
        )
    return sealed


def credentials_in(secret: Mapping[str, Any]) -> Credentials:
    """The credentials in a Secret. Raises ``ValueError``; its text and its causes quote nothing of the content."""
    return read_credentials(_decoded(secret, "data", CREDENTIALS_KEY))


def read_credentials(data: bytes) -> Credentials:
    """Credentials from their JSON. Raises ``ValueError``; its text and its causes quote nothing of the content."""
    try:
        return msgspec.json.decode(data, type=Credentials)
    except msgspec.ValidationError as error:
        # Says what was expected where, by field name: types and paths, no values.
        problem = str(error)
    except _UNREADABLE:
        problem = "it is no JSON"
    # Raised out here, so that no cause with the decoder's objects hangs on it.
    raise ValueError(f"the credentials cannot be read: {problem}")


def _name(manifest: Manifest) -> str:
    return f"epoch {manifest.epoch} revision {manifest.revision} with digest {manifest.digest}"


def _malformed(message: str) -> SnapshotRejected:
    return SnapshotRejected(RejectReason.MALFORMED, message)


def _section(kubernetes_object: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = kubernetes_object.get(name)
    return section if isinstance(section, Mapping) else {}


def _decoded(kubernetes_object: Mapping[str, Any], section: str, key: str) -> bytes:
    """Raises ``ValueError``."""
    encoded = _section(kubernetes_object, section).get(key)
    if not isinstance(encoded, str) or not encoded:
        raise ValueError(f"no {section}[{key!r}], or it is empty")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ValueError(f"{section}[{key!r}] is not base64")
