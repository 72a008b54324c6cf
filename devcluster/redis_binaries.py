"""Where ``redis-server`` comes from: one that is named, that of the PATH, or Debian's packages unpacked into a cache.

Unpacked, not installed: nothing of the system changes, no service starts, and no root is needed. apt checks the signatures.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devcluster.cache import cache_folder, locked
from devcluster.programs import ProgramMissing

_PACKAGE = "redis-tools"
"""Debian's redis-server and redis-sentinel are links to a program of this package."""
_PROGRAM = "usr/bin/redis-check-rdb"
_REMEDY = (
    "Install Redis 6 or newer so that redis-server is on the PATH, or let FAIRLEAD_REDIS_SERVER name one "
    "(on Debian and Ubuntu it is fetched from the distribution's packages, which takes apt-get and a way to its mirror)."
)


@dataclass(frozen=True, slots=True)
class RedisProgram:
    """How to start Redis; with ``--sentinel`` the same program is Sentinel."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """To be added to the process's own."""


def find_redis(environment: Mapping[str, str] = os.environ) -> RedisProgram:
    """The program, fetched if need be (seconds, once per machine). Blocks. Raises ``ProgramMissing``."""
    named = environment.get("FAIRLEAD_REDIS_SERVER")
    if named:
        if not os.access(named, os.X_OK):
            raise ProgramMissing(f"FAIRLEAD_REDIS_SERVER is {named}, which is no executable file. {_REMEDY}")
        return RedisProgram(Path(named))
    found = shutil.which("redis-server", path=environment.get("PATH"))
    if found is not None:
        return RedisProgram(Path(found))
    folder = cache_folder("redis", environment) / platform.machine()
    if not (folder / "redis-server").exists():
        with locked(folder.parent / ".lock"):  # workers of one test run start together: one fetches
            if not (folder / "redis-server").exists():
                _fetch(folder, environment)
    libraries = [str(path) for path in sorted((folder / "lib").iterdir())]
    return RedisProgram(folder / "redis-server", {"LD_LIBRARY_PATH": os.pathsep.join(libraries)})


def _fetch(folder: Path, environment: Mapping[str, str]) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool, path=environment.get("PATH")) is None:
            raise ProgramMissing(f"There is no redis-server on the PATH, and no {tool} to fetch it. {_REMEDY}")
    print(f"redis: fetching {_PACKAGE} and what it needs into {folder}, once", file=sys.stderr, flush=True)
    # Beside the goal, as a rename is atomic only within a file system.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        packages, unpacked = Path(scratch, "packages"), Path(scratch, "unpacked")
        packages.mkdir()
        try:
            _download(packages)
        except ProgramMissing:  # a fresh image has no package lists yet
            _run(["apt-get", "update", "-q"], packages)
            _download(packages)
        for package in packages.glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(unpacked)], packages)
        (unpacked / "lib").mkdir(exist_ok=True)
        for number, library in enumerate(sorted({path.parent for path in unpacked.glob("**/*.so*")})):
            (unpacked / "lib" / str(number)).symlink_to(os.path.relpath(library, unpacked / "lib"))
        # Which program it is, it tells by the name under which it is called.
        (unpacked / "redis-server").symlink_to(_PROGRAM)
        if not (unpacked / _PROGRAM).exists():
            raise ProgramMissing(f"{_PACKAGE} of this distribution holds no {_PROGRAM}. {_REMEDY}")
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)


def _download(into: Path) -> None:
    """The package, and those it needs that are not installed."""
    listed = _run(["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", _PACKAGE], into)
    files = [line.split()[1] for line in listed.splitlines() if line.startswith("'")]
    names = {file.partition("_")[0] for file in files} | {_PACKAGE}
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *sorted(names)], into)


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-10:])
        raise ProgramMissing(f"{' '.join(command)} failed. {_REMEDY} It said:\n{tail}")
    return done.stdout


def main() -> int:
    """Find or fetch, and print where it is."""
    try:
        print(find_redis().path)
    except ProgramMissing as error:
        print(f"redis: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
