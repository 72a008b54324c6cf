"""What making images asks of this machine: root, a few programs, a folder for what is kept, and one builder at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from devcluster.apt import SEARCH_PATH, PackagesMissing, install
from devcluster.cache import cache_folder, locked
from devcluster.patience import complete

ROOT = Path(__file__).parents[2]
_PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux", "tar": "tar"}
_TAIL = 25


class ImageFailed(Exception):
    """An image cannot be made; the message says what to do."""


def cache() -> Path:
    """Where archives, bases, wheels and layers are kept."""
    return cache_folder("images")


def say(text: str) -> None:
    """Progress, for a person."""
    print(f"image: {text}", file=sys.stderr, flush=True)


def one_at_a_time() -> AbstractContextManager[None]:
    """Held while something is made: all of it lies in one folder."""
    return locked(cache() / ".lock")


def prepare() -> None:
    """Install the programs that are missing, with apt-get. Raises ``ImageFailed``, also for whoever is not root."""
    if os.geteuid() != 0:
        raise ImageFailed(
            "This makes an image without a container daemon, which takes root. Become root, or use what you have: "
            "`docker build --tag fairlead .` builds the same Dockerfile on a base from a registry."
        )
    try:
        install(_missing, say)
    except PackagesMissing as error:
        raise ImageFailed(f"{error}\nMaking images takes them.") from error


def run(command: Sequence[str | Path], *, private_mounts: bool = False, log: Path | None = None) -> str:
    """What it prints. Raises ``ImageFailed`` with the end of what it said, and names ``log``, where all of it goes.

    With ``private_mounts`` all that it mounts is gone when it ends, however it ends.
    """
    words = [str(word) for word in command]
    if private_mounts:
        words = ["unshare", "--mount", "--propagation", "private", "--", *words]
    done = _attempt(words, Path(command[0]).name)
    if log is not None:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        where = "" if log is None else f" All of it is in {log}."
        shown = " ".join(str(word) for word in command[:2])
        raise ImageFailed(
            f"{shown} failed with exit code {done.returncode}. It said:\n{_tail(done.stderr or done.stdout)}{where}"
        )
    return done.stdout


def _missing() -> list[str]:
    return sorted({package for tool, package in _PACKAGES.items() if shutil.which(tool, path=SEARCH_PATH) is None})


def _attempt(command: Sequence[str], what: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": SEARCH_PATH}
    try:
        return complete(command, lambda seconds: say(f"{what} goes on, {seconds:.0f} s"), environment=environment)
    except FileNotFoundError as error:
        raise ImageFailed(f"There is no {error.filename} on the PATH.") from error


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TAIL:])
