"""Versions of a bundle side by side, and which of them is in force.

    DIR/versions/<version>-<digest12>/    one bundle each, never changed once it has this name
    DIR/current                           a small file: the version in force and those before it; whoever follows watches it
    DIR/.lock                             held by who writes

Every step is one rename, so a crash at any instant leaves the old state or the new. What a crashed writer left is
named .incoming-… or .outgoing-…, and goes with the next installation.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.verify import verify

_INCOMING, _OUTGOING = ".incoming-", ".outgoing-"
"""Beginnings of the names of folders that are no versions yet, or no longer."""
_REMEMBERED = 20
"""Versions that were in force before, for rolling back more than once."""

_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,80}\Z")]


class _Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    current: _Name
    before: tuple[_Name, ...] = ()
    """Oldest first."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One installed bundle."""

    name: str
    """``<version>-<digest12>``, the name of its folder."""
    current: bool
    kind: str = ""
    bundle: str = ""
    digest: str = ""
    signed: bool = False
    problem: str | None = None
    """Why it cannot be used; the fields above are then empty."""


class BundleStore:
    """A folder of versions. Its methods block; what changes anything waits for others that do."""

    def __init__(
        self, root: Path, check: Callable[[Path], Bundle] = verify, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """``check`` says what a bundle must pass before it is installed or activated; it raises :class:`BundleError`.

        ``clock`` gives nanoseconds; installations are ordered by it.
        """
        self._root = root
        self._clock = clock
        self._versions = root / "versions"
        self._check = check
        self.pointer = root / "current"
        """The file whose change says that another version is in force."""

    def current(self) -> Path | None:
        """The folder of the version in force; ``None`` before the first activation. Raises :class:`BundleError`."""
        pointer = self._read_pointer()
        return None if pointer is None else self._existing(pointer.current)

    def versions(self) -> list[Version]:
        """All that are installed, the newest installation first. Names and sizes are looked at, contents are not."""
        pointer = self._read_pointer()
        found = []
        for name in self._names():
            try:
                found.append(self._describe(name, pointer))
            except BundleError as error:
                current = pointer is not None and pointer.current == name
                found.append(Version(name=name, current=current, problem=str(error)))
        return found

    def install(self, folder: Path, accept: Callable[[Bundle], None] | None = None) -> Version:
        """Copy a bundle into the store, check the copy, give it its name. Activates nothing; repeating it changes nothing.

        ``accept`` may refuse the copy as well, by :class:`BundleError`: for instance for want of a signature.
        """
        # Read before anything is copied: what is no bundle may be any folder, of any size.
        source = Bundle.open(folder)
        with self._locked():
            self._versions.mkdir(parents=True, exist_ok=True)
            self._sweep()
            draft = self._versions / f"{_INCOMING}{os.getpid()}"
            shutil.copytree(folder, draft, symlinks=True)
            try:
                bundle = self._check(draft)
                if accept is not None:
                    accept(bundle)
            except BundleError as error:
                shutil.rmtree(draft)
                raise BundleError(folder, error.problem, file=error.file, mend=error.mend) from error
            name = f"{bundle.manifest.version}-{bundle.digest[:12]}"
            if bundle.digest != source.digest:
                shutil.rmtree(draft)
                raise BundleError(folder, "was changed while it was copied", mend="install it again")
            if (self._versions / name).exists():
                self._replace_if_damaged(name, draft)
            else:
                self._take(draft, name)
            return self._describe(name, self._read_pointer())

    def activate(self, name: str) -> Version:
        """Put an installed version in force, named in full or by any beginning that only it has. Checks it again first."""
        with self._locked():
            full = self._resolve(name)
            self._check(self._versions / full)
            pointer = self._read_pointer()
            if pointer is None:
                self._write_pointer(_Pointer(full))
            elif pointer.current != full:
                before = (*pointer.before, pointer.current)[-_REMEMBERED:]
                self._write_pointer(_Pointer(full, before))
            return self._describe(full, self._read_pointer())

    def rollback(self) -> Version:
        """Put the version in force that was before the current one; again, the one before that."""
        with self._locked():
            pointer = self._read_pointer()
            if pointer is None or not pointer.before:
                raise BundleError(
                    self._root,
                    "there is no version to go back to",
                    mend="activate one that `fairlead bundle list` shows",
                )
            *earlier, previous = pointer.before
            self._check(self._existing(previous))
            self._write_pointer(_Pointer(previous, tuple(earlier)))
            return self._describe(previous, self._read_pointer())

    def prune(self, keep: int) -> list[str]:
        """Remove all but the ``keep`` newest installations, the current version and the one before. Returns what went."""
        with self._locked():
            self._sweep()
            pointer = self._read_pointer()
            names = self._names()
            kept = set(names[: max(keep, 0)])
            if pointer is not None:
                kept |= {pointer.current, *pointer.before[-1:]}
            gone = [name for name in names if name not in kept]
            if pointer is not None:
                # First forgotten, then removed: the pointer never names what is not there.
                left = tuple(name for name in pointer.before if name not in gone)
                if left != pointer.before:
                    self._write_pointer(_Pointer(pointer.current, left))
            for name in gone:
                # A folder that is half removed must not have the name of a version.
                draft = self._versions / f"{_OUTGOING}{name}"
                os.rename(self._versions / name, draft)
                shutil.rmtree(draft)
            return gone

    def _names(self) -> list[str]:
        """Installed versions, the newest first."""
        try:
            with os.scandir(self._versions) as entries:
                folders = [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except FileNotFoundError:
            return []
        found = []
        for entry in folders:
            # A version may be pruned while somebody lists.
            with suppress(FileNotFoundError):
                found.append((-entry.stat().st_mtime_ns, entry.name))
        return [name for _, name in sorted(found)]

    def _resolve(self, name: str) -> str:
        names = self._names()
        if name in names:
            return name
        matching = sorted(known for known in names if known.startswith(name))
        if len(matching) == 1:
            return matching[0]
        problem = f"{name!r} could be {', '.join(matching)}" if matching else f"has no version {name!r}"
        raise BundleError(self._root, problem, mend="name one that `fairlead bundle list` shows")

    def _existing(self, name: str) -> Path:
        folder = self._versions / name
        if not folder.is_dir():
            raise BundleError(
                self._root, f"version {name} is missing", mend="install it again, or activate another version"
            )
        return folder

    def _describe(self, name: str, pointer: _Pointer | None) -> Version:
        bundle = Bundle.open(self._versions / name)
        return Version(
            name=name,
            kind=bundle.manifest.kind.value,
            bundle=bundle.manifest.name,
            digest=bundle.digest,
            signed=bundle.manifest.signature is not None,
            current=pointer is not None and pointer.current == name,
        )

    def _replace_if_damaged(self, name: str, draft: Path) -> None:
        """The version is there already: keep it, unless its files are no longer those of the draft."""
        present = self._versions / name
        try:
            self._check(present)
        except BundleError:
            outgoing = self._versions / f"{_OUTGOING}{name}"
            os.rename(present, outgoing)
            self._take(draft, name)
            shutil.rmtree(outgoing)
        else:
            shutil.rmtree(draft)

    def _take(self, draft: Path, name: str) -> None:
        now = self._clock()
        os.utime(draft, ns=(now, now))
        _sync_tree(draft)
        os.rename(draft, self._versions / name)
        _sync(self._versions)

    def _sweep(self) -> None:
        """Remove what crashed writers left; called under the lock."""
        for drafts in (f"{_INCOMING}*", f"{_OUTGOING}*"):
            for leftover in self._versions.glob(drafts):
                shutil.rmtree(leftover)

    def _read_pointer(self) -> _Pointer | None:
        try:
            return msgspec.json.decode(self.pointer.read_bytes(), type=_Pointer)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise BundleError(
                self._root,
                f"cannot be read: {error}",
                file=self.pointer.name,
                mend="remove the file and activate a version",
            ) from error

    def _write_pointer(self, pointer: _Pointer) -> None:
        draft = self._root / ".current"
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(pointer) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.pointer)
        _sync(self._root)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, in any process; the system lets go of the lock of one that dies."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _sync_tree(folder: Path) -> None:
    for path, _, files in os.walk(folder):
        for file in files:
            _sync(Path(path) / file)
        _sync(Path(path))


def _sync(path: Path) -> None:
    """Let the file or folder survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
