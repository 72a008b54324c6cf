"""Making a bundle out of contents. What ``Bundle.open`` reads, written in one place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from fairlead_learning.bundles import manifest as manifests
from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import MANIFEST, File, Manifest


def listed(contents: Mapping[str, bytes]) -> tuple[File, ...]:
    """The manifest's list of ``contents`` (by path), sorted."""
    return tuple(
        File(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for path, content in sorted(contents.items())
    )


def write_bundle(folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Bundle:
    """Write a folder that is new, empty, or holds an older making of the same paths. Returns the bundle, opened.

    ``manifest.files`` must be :func:`listed` of ``contents``. Raises :class:`BundleError` if the folder holds anything else, or
    the manifest would not be read again; then nothing was written.
    """
    try:
        manifests.decode(manifests.encode(manifest))
    except msgspec.ValidationError as error:
        raise BundleError(folder, f"cannot be described: {error}", file=MANIFEST, mend="change that value") from error
    refuse_foreign(folder, contents)
    for path, content in contents.items():
        _write(folder / path, content)
    # Last: a folder without a manifest is no bundle.
    write_manifest(folder, manifest)
    return Bundle.open(folder)


def refuse_foreign(folder: Path, paths: Iterable[str]) -> None:
    """Raise :class:`BundleError` if ``folder`` holds anything but a bundle of these paths, or part of one."""
    if folder.exists() and not folder.is_dir():
        raise BundleError(folder, "is no folder", mend="name an empty one, or one that is not there yet")
    foreign = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    foreign -= {MANIFEST, *paths}
    if foreign:
        raise BundleError(
            folder, "is in the way", file=min(foreign), mend="name an empty folder, or remove what is not of the bundle"
        )


def refuse_version(folder: Path, version: str) -> None:
    """Raise :class:`BundleError` if no bundle can have this version."""
    try:
        msgspec.convert(version, manifests.Word)
    except msgspec.ValidationError as error:
        raise BundleError(
            folder,
            f"cannot have the version {version!r}",
            mend="give up to 64 letters, digits and . _ + -, the first a letter or digit",
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put ``manifest`` in the place of the folder's, at once."""
    _write(folder / MANIFEST, manifests.encode(manifest))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    os.replace(draft, path)
