"""A small Debian with Python, made by debootstrap for where no registry is reachable: what ``BASE`` is by default elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster.images.host import cache, run, say

_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "python3", "python3-venv")
_EMPTIED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/info",
    "usr/share/lintian",
)
_REMOVED = (
    "etc/resolv.conf",
    "etc/hostname",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "var/cache/ldconfig/aux-cache",
)
_VERSION = "1"
"""To be raised with every change below that gives other bases; part of the name under which they are kept."""


@dataclass(frozen=True, slots=True)
class Base:
    """A root file system as an archive."""

    archive: Path
    digest: str


def find_base(packages: tuple[str, ...] = ()) -> Base:
    """The base, made if need be: two minutes, once a machine. ``packages`` of Debian are added to it.

    Debian's packages move on, so bases made at different times differ; the digest tells. Remove the folder ``base`` of the
    cache to have a new one. Raises ``ImageFailed``.
    """
    wanted = (*_PACKAGES, *packages)
    key = hashlib.sha256("\0".join((_VERSION, _SUITE, *wanted)).encode()).hexdigest()[:16]
    folder = cache() / "base" / key
    if not folder.exists():
        say(f"making a base of Debian {_SUITE} with {', '.join(wanted)}: about two minutes, once")
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left_by_a_killed_build in folder.parent.glob(".making-*"):
            shutil.rmtree(left_by_a_killed_build)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        scratch.chmod(0o755)
        _make(scratch, wanted)
        scratch.rename(folder)
    return Base(folder / "base.tar", (folder / "digest").read_text())


def _make(folder: Path, packages: tuple[str, ...]) -> None:
    root = folder / "root"
    mirror = os.environ.get("FAIRLEAD_DEBIAN_MIRROR")
    run(
        [
            *("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", _SUITE, root),
            *([mirror] if mirror else []),
        ],
        private_mounts=True,  # a killed debootstrap leaves /proc mounted
        log=folder.parent / "debootstrap.log",
    )
    # Bytecode that does not look at the times of sources, since those are all set to one.
    compiled = (
        "-m",
        "compileall",
        "-q",
        "-f",
        "--invalidation-mode",
        "unchecked-hash",
        "/usr/lib/python3.11",
        "/usr/lib/python3",
    )
    run(["chroot", root, "python3", *compiled])
    _slim(root)
    archive = folder / "base.tar"
    run(["tar", "--sort=name", "--mtime=@0", "--numeric-owner", "-C", root, "-cf", archive, "."])
    shutil.rmtree(root)
    with archive.open("rb") as file:
        (folder / "digest").write_text(hashlib.file_digest(file, "sha256").hexdigest())


def _slim(root: Path) -> None:
    """Without what only a person at a terminal reads, what names this machine, and what gains rights."""
    for name in _EMPTIED:
        for entry in (root / name).iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    for name in _REMOVED:
        (root / name).unlink(missing_ok=True)
    for path in root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        if path.is_relative_to(root / "usr/share/doc") and path.name != "copyright":
            path.unlink()
        elif path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o1777)
    shadow = root / "etc/shadow"  # the day on which each password was changed
    shadow.write_text(
        "\n".join(
            ":".join([*line.split(":")[:2], "0", *line.split(":")[3:]]) for line in shadow.read_text().splitlines()
        )
        + "\n"
    )
