"""The packages of the image as wheels, fetched beforehand: then the build needs no network and no settings of pip."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from devcluster.images.host import ROOT, ImageFailed, cache, run, say

_LISTS = ("requirements/build.txt", "requirements/image.txt")
_PYTHON = "3.11"
_NEWEST_GLIBC = 36
"""Minor version of Debian 12's, and the oldest that wheels name."""
_OLDEST_GLIBC = 5
_MACHINES = ("x86_64", "aarch64")


def find_wheels(root: Path = ROOT) -> Path:
    """A folder with exactly the wheels that the lists name, fetched if need be, each checked by its hash.

    They are those for the image's Python, whichever runs this. Raises ``ImageFailed``.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        raise ImageFailed(f"The image is made for {' and '.join(_MACHINES)}; this machine is {machine}.")
    content = b"\0".join((root / name).read_bytes() for name in _LISTS)
    folder = cache() / "wheels" / f"{hashlib.sha256(content).hexdigest()[:16]}-{machine}"
    if folder.exists():
        return folder
    say("fetching wheels, once: 70 MB")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.iterdir():
        shutil.rmtree(old)
    # Beside the goal, as a rename is atomic only within a file system.
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetching-"))
    lists = [word for name in _LISTS for word in ("--requirement", root / name)]
    run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--dest", scratch),
            *(
                "--no-deps",
                "--require-hashes",
                "--only-binary=:all:",
                "--python-version",
                _PYTHON,
                "--implementation",
                "cp",
            ),
            *_platforms(machine),
            *lists,
        ]
    )
    return scratch.rename(folder)


def _platforms(machine: str) -> list[str]:
    """pip does not know that a newer glibc runs what was built for an older one, unless it runs there."""
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
    names += [f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    return [word for name in names for word in ("--platform", name)]
