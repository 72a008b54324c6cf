"""Programs of the system that are run to their end, and files for those that are not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster.apt import SEARCH_PATH
from devcluster.node.settings import ClusterFailed


def run(*command: str | Path, input: str | None = None) -> str:
    """What it prints. Raises ``ClusterFailed`` with what it said."""
    done = attempt(*command, input=input)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise ClusterFailed(f"{' '.join(map(str, command))}: exit code {done.returncode}: {said[-2000:]}")
    return done.stdout


def attempt(
    *command: str | Path, input: str | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it whatever comes of it. Raises ``ClusterFailed`` if there is no such program."""
    arguments: Sequence[str] = [str(part) for part in command]
    variables = {**os.environ, "PATH": SEARCH_PATH, **(environment or {})}
    try:
        return subprocess.run(arguments, input=input, env=variables, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ClusterFailed(f"There is no {arguments[0]} on the PATH, which is {SEARCH_PATH}.") from None


def write_if_new(path: Path, text: str) -> Path:
    """Write it unless the file says so already: kube-proxy ends when its file is written, whatever it then says."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path
