"""Where installed peers are kept: one folder for each name and version, filled once, whoever comes first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.peers.recipe import PeerUnavailable
from devcluster.cache import cache_folder, locked

_MARKER = ".complete"


def kept(name: str, version: str, fill: Callable[[Path], None], *, within: Path | None = None) -> Path:
    """The folder of ``name`` at ``version``, filled by ``fill`` if no earlier call got through with that.

    A marker is set last, so that what a killed installation left is thrown away. Processes that ask at once wait for the
    one that installs. Raises ``PeerUnavailable``.
    """
    root = within or cache_folder("peers")
    folder = root / f"{name}-{version}"
    if (folder / _MARKER).exists():
        return folder
    with locked(root / f".{folder.name}.lock"):
        if (folder / _MARKER).exists():
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        say(f"installing {name} {version} into {folder}")
        fill(folder)
        (folder / _MARKER).touch()
        say(f"installed {name} {version}")
    return folder


def run(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of an installation. Raises ``PeerUnavailable`` with the end of what it said."""
    say(f"  {' '.join(Path(part).name if part.startswith('/') else part for part in command)}")
    if shutil.which(command[0]) is None:
        raise PeerUnavailable(f"{command[0]} is not on this machine")
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise PeerUnavailable(f"{' '.join(command)} failed in {cwd}:\n{tail}")


def python_environment(folder: Path, *requirements: str) -> None:
    """A virtual environment in ``folder`` with ``requirements`` from the package index that pip is set up for."""
    run([sys.executable, "-m", "venv", str(folder)], cwd=folder)
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], cwd=folder)


def debian_packages(folder: Path, *packages: str) -> None:
    """Unpack ``packages`` of the Debian that this is below ``folder``, without installing anything on the system.

    What they depend on is not followed: name what is not on every Debian.
    """
    run(["apt-get", "download", *packages], cwd=folder)
    for archive in sorted(folder.glob("*.deb")):
        run(["dpkg", "-x", str(archive), str(folder)], cwd=folder)
        archive.unlink()


def library_path(folder: Path) -> dict[str, str]:
    """The environment in which programs of ``debian_packages`` find their libraries."""
    found = sorted({str(library.parent) for library in folder.glob("usr/lib/**/*.so.*")})
    return {"LD_LIBRARY_PATH": os.pathsep.join(found)}


def say(text: str) -> None:
    """A line of progress."""
    print(f"peers: {text}", file=sys.stderr, flush=True)
