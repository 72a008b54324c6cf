"""A folder as a bundle: its manifest, and its files as bytes that have been checked.

Nothing is loaded from the folder but through :meth:`Bundle.read`, so that what was checked and what is used are the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from fairlead_learning.bundles import manifest as manifests
from fairlead_learning.bundles.errors import MAKE_AGAIN, BundleError
from fairlead_learning.bundles.manifest import MANIFEST, SCHEMA_VERSION, BundleKind, Features, File, Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIXES = frozenset({".json", ".npy", ".onnx", ".safetensors", ".txt"})
"""What a bundle may hold: formats that carry data. A pickle would be a program."""
_LARGEST_MANIFEST = 4 * 1024 * 1024
_NPY_MAGIC = b"\x93NUMPY"
_ONNX_OTHER_FILE = b"location"
"""Key of the entry that names the file. Strings lie in one piece in a graph, however it was written."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder whose manifest holds together and that has the files it lists and no others."""

    folder: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, folder: Path, kind: BundleKind | None = None) -> Bundle:
        """Read the manifest and compare names and sizes; contents are compared as they are read.

        Raises :class:`BundleError`, also if ``kind`` is given and the bundle is of another.
        """
        manifest = _read_manifest(folder)
        if kind is not None and manifest.kind is not kind:
            raise BundleError(
                folder, f"is of kind {manifest.kind}, not {kind}", file=MANIFEST, mend=f"name a bundle of kind {kind}"
            )
        if manifest.features is not None and manifest.features != Features.of(manifest.features.names):
            raise BundleError(folder, "the digest of the features is not theirs", file=MANIFEST, mend=MAKE_AGAIN)
        bundle = cls(folder, manifest, manifests.digest(manifest))
        bundle._compare_names()
        return bundle

    def read(self, path: str) -> bytes:
        """The bytes of a listed file, whose digest has been compared. Raises :class:`BundleError`."""
        listed = next((file for file in self.manifest.files if file.path == path), None)
        if listed is None:
            raise BundleError(self.folder, "is needed and not listed in the manifest", file=path, mend=MAKE_AGAIN)
        content = _read_regular(self.folder, path, listed.size)
        if len(content) != listed.size:
            raise BundleError(
                self.folder, f"has {len(content)} bytes instead of {listed.size}", file=path, mend=MAKE_AGAIN
            )
        found = hashlib.sha256(content).hexdigest()
        if found != listed.sha256:
            raise BundleError(
                self.folder,
                f"has SHA-256 {found[:12]}… instead of {listed.sha256[:12]}…, so it was changed or damaged",
                file=path,
                mend=MAKE_AGAIN,
            )
        if path.endswith(".npy"):
            _refuse_objects(self.folder, path, content)
        if path.endswith(".onnx"):
            _refuse_other_files(self.folder, path, content)
        return content

    def array(self, path: str) -> NDArray[Any]:
        """A listed ``.npy`` file as an array. Raises :class:`BundleError`."""
        import io

        import numpy as np

        content = self.read(path)
        try:
            array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
        except Exception as error:  # the header is a piece of Python, and may ask for any size: numpy raises whatever
            raise BundleError(self.folder, "is no array of numbers", file=path, mend=MAKE_AGAIN) from error
        return array

    def read_all(self) -> None:
        """Compare the contents of all files. Raises :class:`BundleError`."""
        for file in self.manifest.files:
            self.read(file.path)

    def _compare_names(self) -> None:
        listed: dict[str, File] = {}
        for file in self.manifest.files:
            _refuse_path(self.folder, file.path)
            if file.path in listed:
                raise BundleError(self.folder, "is listed twice in the manifest", file=file.path, mend=MAKE_AGAIN)
            listed[file.path] = file
        present = dict(_walk(self.folder))
        present.pop(MANIFEST, None)
        for path in sorted(listed.keys() - present.keys()):
            raise BundleError(self.folder, "is listed in the manifest and missing", file=path, mend=MAKE_AGAIN)
        for path in sorted(present.keys() - listed.keys()):
            raise BundleError(
                self.folder, "is not listed in the manifest", file=path, mend="remove it, or make the bundle again"
            )
        for path, size in sorted(present.items()):
            if size != listed[path].size:
                raise BundleError(
                    self.folder, f"has {size} bytes instead of {listed[path].size}", file=path, mend=MAKE_AGAIN
                )


def _read_manifest(folder: Path) -> Manifest:
    if not folder.is_dir():
        raise BundleError(folder, "there is no such folder", mend="name the folder that holds manifest.json")
    text = _read_regular(folder, MANIFEST, _LARGEST_MANIFEST)
    if len(text) > _LARGEST_MANIFEST:
        raise BundleError(folder, f"is larger than {_LARGEST_MANIFEST} bytes", file=MANIFEST, mend=MAKE_AGAIN)
    try:
        # The version first: another schema may have any shape.
        version = msgspec.json.decode(text, type=_Versioned).schema_version
        if version != SCHEMA_VERSION:
            raise BundleError(
                folder,
                f"has schema version {version}, and this program reads {SCHEMA_VERSION}",
                file=MANIFEST,
                mend="make the bundle with the `fairlead` that will read it",
            )
        return manifests.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(folder, f"cannot be read: {error}", file=MANIFEST, mend=MAKE_AGAIN) from error


class _Versioned(msgspec.Struct, rename="camel"):
    schema_version: int


def _read_regular(folder: Path, path: str, at_most: int) -> bytes:
    """Up to one byte more than ``at_most``, from a regular file that is no symbolic link."""
    try:
        descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(folder, "is no regular file", file=path, mend=MAKE_AGAIN)
            return file.read(at_most + 1)
    except OSError as error:
        raise BundleError(
            folder,
            f"cannot be read: {error.strerror or error}",
            file=path,
            mend=f"check the file's rights; or {MAKE_AGAIN}",
        ) from error


def _walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Relative path and size of every file below ``folder``; refuses what is neither a file nor a folder."""
    root = folder / prefix
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        raise BundleError(folder, f"cannot be listed: {error.strerror}", mend="check the folder's rights") from error
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise BundleError(
                folder, "is a symbolic link or a special file", file=path, mend="put the file itself in its place"
            )
        if entry.is_dir():
            yield from _walk(folder, f"{path}/")
        else:
            yield path, entry.stat(follow_symlinks=False).st_size


def _refuse_path(folder: Path, path: str) -> None:
    """Only plain relative paths of harmless formats are listed."""
    parts = path.split("/")
    if path == MANIFEST or "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise BundleError(folder, f"lists the path {path!r}, which no bundle may hold", file=MANIFEST, mend=MAKE_AGAIN)
    if PurePosixPath(path).suffix not in _SUFFIXES:
        raise BundleError(
            folder,
            f"is of a format that is never loaded (allowed: {', '.join(sorted(_SUFFIXES))})",
            file=path,
            mend="keep arrays as .npy or .safetensors and graphs as .onnx",
        )


def _refuse_other_files(folder: Path, path: str, content: bytes) -> None:
    """A graph may keep weights in files that it names, which ONNX Runtime reads from wherever the process runs."""
    if _ONNX_OTHER_FILE in content:
        raise BundleError(
            folder, "keeps weights in another file", file=path, mend="save it with all weights inside of the graph"
        )


def _refuse_objects(folder: Path, path: str, content: bytes) -> None:
    """An array of objects is a pickle in disguise."""
    header = content.partition(b"\n")[0]
    if not header.startswith(_NPY_MAGIC) or b"O'" in header:
        raise BundleError(
            folder, "is no array of numbers", file=path, mend="save it with numpy.save(allow_pickle=False)"
        )
