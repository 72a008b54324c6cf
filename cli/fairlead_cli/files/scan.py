"""Which files hold resources, and a signature of each that changes when it does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file behind all symlinks. Equal values mean: nothing was written, replaced or swapped in between."""

    path: str
    """As it is shown: the root as given, joined with the way down."""
    mtime_ns: int
    ctime_ns: int
    """Tells an edit that put the modification time back, as copying tools do."""
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at the folders found. Two equal scans mean that nothing changed."""

    files: tuple[ScannedFile, ...]
    failures: tuple[tuple[str, str], ...]
    """Paths that could not be looked at, with the reason."""


def scan(roots: Iterable[str]) -> Scan:
    """Look at ``roots``: folders are searched downwards, files taken whatever their name. Never raises ``OSError``.

    Hidden entries are left out, and with them the ``..data`` folders of mounted ConfigMaps; what the links beside them
    point to is read once, through the first path that leads there.
    """
    search = _Search()
    for root in roots:
        search.root(root)
    return Scan(tuple(sorted(search.files, key=lambda file: file.path)), tuple(sorted(search.failures)))


def is_resource_file(name: str) -> bool:
    """Whether a file of this name is meant to be read: not hidden, no editor's lock, backup or autosave."""
    return name.endswith(SUFFIXES) and name[0] not in ".#~"


def _is_text(name: str) -> bool:
    """Whether ``name`` can be shown; Python smuggles bytes that are no text through as lone surrogates."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


@dataclass(slots=True)
class _Search:
    files: list[ScannedFile] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def root(self, path: str) -> None:
        status = self._status(path)
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            self._folder(path, status)
        else:
            self._file(path, status)

    def _folder(self, path: str, status: os.stat_result) -> None:
        if self._seen_before(status):
            return
        try:
            with os.scandir(path) as entries:
                names = sorted(entry.name for entry in entries if entry.name[0] != ".")
        except OSError as error:
            self._failed(path, error)
            return
        for name in names:
            inside = os.path.join(path, name)
            if not _is_text(name):
                self.failures.append((os.fsencode(inside).decode(errors="replace"), "its name is not UTF-8"))
                continue
            if is_resource_file(name):
                self.root(inside)
            elif os.path.isdir(inside) and (found := self._status(inside)) is not None:
                self._folder(inside, found)

    def _file(self, path: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            self.failures.append((path, "it is no regular file"))
        elif not self._seen_before(status):
            self.files.append(ScannedFile(path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))

    def _seen_before(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        if identity in self.seen:
            return True
        self.seen.add(identity)
        return False

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.stat(path)
        except (OSError, ValueError) as error:
            self._failed(path, error)
            return None

    def _failed(self, path: str, error: OSError | ValueError) -> None:
        self.failures.append((path, (error.strerror or str(error)) if isinstance(error, OSError) else str(error)))
