"""From entries to a snapshot: the same one again if nothing changed, a lesser one if the new one is too large."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

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


def publish(
    entries: list[Entry], less: Iterable[list[Entry]], previous: Previous | None, settings: Settings, epoch: int | None
) -> Publication:
    """Seal ``entries`` under the next revision, unless the content is what is published already.

    If they are too large, the first of ``less`` that is not takes their place.
    """
    whole = _seal(entries, previous, settings, epoch)
    if _fits(whole, previous, settings):
        return whole
    message = (
        f"the snapshot would take {len(whole.sealed.payload)} bytes ({whole.sealed.manifest.body_bytes} unpacked), the "
        f"limits are {settings.max_compressed_bytes} and {MAX_BODY_BYTES}; until it fits, the one before stays in force "
        "and only withdrawals take effect: remove what is no longer needed, or split the installation"
    )
    attempts = (_seal(fewer, previous, settings, epoch) for fewer in less)
    found = next((attempt for attempt in attempts if _fits(attempt, previous, settings)), None)
    if found is None:
        found = _seal([] if previous is None else list(previous.entries.values()), previous, settings, epoch)
    return replace(found, rejected=message)


def _seal(entries: list[Entry], previous: Previous | None, settings: Settings, epoch: int | None) -> Publication:
    """However large it becomes. What is published already is not compressed again."""
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
    version = settings.compiler_version
    sealed = seal_body(body, digest, compiler_version=version, epoch=new_epoch, revision=revision)
    return Publication(sealed, entries, changed=True)


def _fits(publication: Publication, previous: Previous | None, settings: Settings) -> bool:
    """Whether it is within the limits, or published already."""
    manifest, payload = publication.sealed.manifest, publication.sealed.payload
    if previous is not None and previous.sealed.manifest.digest == manifest.digest:
        return True
    return len(payload) <= settings.max_compressed_bytes and manifest.body_bytes <= MAX_BODY_BYTES
