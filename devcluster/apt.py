"""Packages of Debian and its kin, installed when something here needs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from devcluster.patience import complete

SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"
"""Some users of root's have no sbin on the PATH, where ``ip``, ``nft`` and ``debootstrap`` are."""


class PackagesMissing(Exception):
    """They are not there and could not be installed; the message says what to do."""


def install(missing: Callable[[], Sequence[str]], say: Callable[[str], None]) -> None:
    """Install what ``missing`` names, which takes seconds, or a minute. Raises ``PackagesMissing``."""
    packages = missing()
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get", path=SEARCH_PATH) is None:
        raise PackagesMissing(
            f"The packages {names} (as Debian calls them) are needed, and there is no apt-get. Install them."
        )
    say(f"installing {names} with apt-get")
    command = ("install", "-y", "-q", "--no-install-recommends", *packages)
    done = _apt_get(command, say)
    if done.returncode:  # a fresh machine has no package lists yet
        _apt_get(("update", "-q"), say)
        done = _apt_get(command, say)
    if left := missing():
        raise PackagesMissing(
            f"apt-get did not bring {' '.join(left)}; install them by hand. It said:\n"
            f"{(done.stderr or done.stdout).strip()[-2000:]}"
        )


def _apt_get(arguments: Sequence[str], say: Callable[[str], None]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": SEARCH_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    return complete(
        ["apt-get", *arguments], lambda seconds: say(f"apt-get goes on, {seconds:.0f} s"), environment=environment
    )
