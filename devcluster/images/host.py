"""What making images asks of this machine: root, a few programs, a folder for what is kept, and one builder at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""Some users of root's have no sbin on the PATH, where ``debootstrap`` is."""
_PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux", "tar": "tar"}
_TAIL = 25


class ImageFailed(Exception):
    """An image cannot be made; the message says what to do."""


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where archives, bases, wheels and layers are kept. It can be removed at any time."""
    folder = environment.get("FAIRLEAD_CACHE") or environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "fairlead" / "images"


def say(text: str) -> None:
    """Progress, for a person."""
    print(f"image: {text}", file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Whoever comes second waits, and finds what the first one made. The kernel frees the lock of a builder that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def prepare() -> None:
    """Install the programs that are missing, with apt-get. Raises ``ImageFailed``, also for whoever is not root."""
    if os.geteuid() != 0:
        raise ImageFailed(
            "This makes an image without a container daemon, which takes root. Become root, or use what you have: "
            "`docker build --tag fairlead .` builds the same Dockerfile on a base from a registry."
        )
    missing = _missing()
    if not missing:
        return
    if shutil.which("apt-get", path=_SEARCH_PATH) is None:
        raise ImageFailed(f"Making images takes {', '.join(missing)}, and there is no apt-get to install them with.")
    say(f"installing {', '.join(missing)} with apt-get")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = _attempt(command, variables)
    if done.returncode:  # a fresh machine has no package lists yet
        _attempt(["apt-get", "update", "-q"], variables)
        done = _attempt(command, variables)
    if still := _missing():
        raise ImageFailed(
            f"apt-get did not bring {', '.join(still)}; install them by hand. It said:\n{_tail(done.stdout)}"
        )


def run(command: Sequence[str | Path], *, private_mounts: bool = False, log: Path | None = None) -> str:
    """What it prints. Raises ``ImageFailed`` with the end of what it said, and names ``log``, where all of it goes.

    With ``private_mounts`` all that it mounts is gone when it ends, however it ends.
    """
    words = [str(word) for word in command]
    if private_mounts:
        words = ["unshare", "--mount", "--propagation", "private", "--", *words]
    done = _attempt(words, {**os.environ, "PATH": _SEARCH_PATH})
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
    return sorted({package for tool, package in _PACKAGES.items() if shutil.which(tool, path=_SEARCH_PATH) is None})


def _attempt(command: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise ImageFailed(f"There is no {error.filename} on the PATH.") from error


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TAIL:])
