"""From entries to a snapshot: the same one again if nothing changed, the one before if the new one is too large."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fairlead_contract.snapshot import MAX_BODY_BYTES, Entry, Sealed, body_digest, encode_body, seal_body
from fairlead_crds.compile.previous import Previous
from fairlead_crds.compile.resources import Settings


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published now."""

    sealed: Sealed
    entries: list[Entry]
    """Those in ``sealed``."""
    changed: bool
    rejected: str | None = None
    """Why the new entries are not what is published."""


def publish(entries: list[Entry], previous: Previous | None, settings: Settings, epoch: int | None) -> Publication:
    """Seal ``entries`` under the next revision, unless the content is what is published already."""
    body = encode_body(entries, settings.compiler_version)
    digest = body_digest(body)
    before = None if previous is None else previous.sealed.manifest
    new_epoch = epoch if epoch is not None else (1 if before is None else before.epoch)
    same_history = before is not None and before.epoch == new_epoch
    revision = before.revision + 1 if before is not None and same_history else 1
    if previous is not None and before is not None and before.digest == digest:
        if same_history:
            return Publication(previous.sealed, entries, changed=False)
        manifest = msgspec.structs.replace(before, epoch=new_epoch, revision=revision)
        return Publication(Sealed(manifest, previous.sealed.payload), entries, changed=True)
    sealed = seal_body(body, digest, compiler_version=settings.compiler_version, epoch=new_epoch, revision=revision)
    size = len(sealed.payload)
    if size <= settings.max_compressed_bytes and len(body) <= MAX_BODY_BYTES:
        return Publication(sealed, entries, changed=True)
    return _keep(previous, settings, new_epoch, size, len(body))


def _keep(previous: Previous | None, settings: Settings, epoch: int, size: int, unpacked: int) -> Publication:
    message = (
        f"the snapshot would take {size} bytes ({unpacked} unpacked), the limits are {settings.max_compressed_bytes} "
        f"and {MAX_BODY_BYTES}; the one before stays in force: remove what is no longer needed, or split the installation"
    )
    if previous is None:
        body = encode_body([], settings.compiler_version)
        empty = seal_body(body, body_digest(body), compiler_version=settings.compiler_version, epoch=epoch, revision=1)
        return Publication(empty, [], changed=True, rejected=message)
    kept = list(previous.entries.values())
    manifest = previous.sealed.manifest
    if manifest.epoch == epoch:
        return Publication(previous.sealed, kept, changed=False, rejected=message)
    renewed = Sealed(msgspec.structs.replace(manifest, epoch=epoch, revision=1), previous.sealed.payload)
    return Publication(renewed, kept, changed=True, rejected=message)
