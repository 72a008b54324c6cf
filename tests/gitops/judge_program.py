"""Builds ``judge/`` and asks it: what Argo CD and kstatus conclude, told by their own code.

The build takes minutes, so it is kept outside the tree, named by all that decides what it yields.

    python -m tests.gitops.judge_program     # builds what is missing, prints the path
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).with_name("judge")
_BUILD = ("go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")


class JudgeFailed(Exception):
    """The program cannot be built, has ended, or could not answer; the message says why."""


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where these tests keep what takes long to get."""
    base = environment.get("FAIRLEAD_CACHE") or environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fairlead" / "gitops"


def judge_binary() -> Path:
    """The program, built if need be (about four minutes on two cores, once). Raises ``JudgeFailed``."""
    parts = [path.read_bytes() for path in sorted(_SOURCE.iterdir())]
    parts += [argument.encode() for argument in (*_BUILD, platform.machine())]
    folder = cache() / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    binary = folder / "judge"
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(binary)
    return binary


def _build(binary: Path) -> None:
    print(f"gitops: building {binary}: about four minutes on two cores, once", file=sys.stderr, flush=True)
    unfinished = binary.with_suffix(".building")
    command = [*_BUILD, "-o", str(unfinished), "."]
    variables = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        done = subprocess.run(command, cwd=_SOURCE, env=variables, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise JudgeFailed(f"There is no {binary}, and no Go on the PATH to build it with.") from None
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-20:])
        raise JudgeFailed(
            f"Building {_SOURCE} failed. It takes Go 1.25.5 or newer and a module proxy. Go said:\n{tail}"
        )
    unfinished.rename(binary)


class Judge:
    """The running program; a question at a time."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Blocks while the program is built. ``environment`` is added to ours."""
        pipe = subprocess.PIPE
        variables = {**os.environ, **(environment or {})}
        self._child = subprocess.Popen([judge_binary()], stdin=pipe, stdout=pipe, text=True, env=variables)

    def close(self) -> None:
        """End it."""
        self._child.communicate(timeout=10)

    def kstatus(self, item: Mapping[str, Any]) -> str:
        """Current, InProgress, Failed, Terminating."""
        return str(self._ask(ask="kstatus", object=item)["status"])

    def health(self, item: Mapping[str, Any], config_map: Mapping[str, str]) -> dict[str, str]:
        """Status and message."""
        said = self._ask(ask="health", object=item, configMap=config_map)
        return {"status": said["status"], "message": said.get("message", "")}

    def actions(self, item: Mapping[str, Any], config_map: Mapping[str, str]) -> list[dict[str, Any]]:
        """What is offered, sorted by name."""
        found: list[dict[str, Any]] = self._ask(ask="discover", object=item, configMap=config_map).get("actions", [])
        return found

    def patch(self, item: Mapping[str, Any], config_map: Mapping[str, str], action: str) -> dict[str, Any]:
        """The merge patch that Argo CD sends when somebody takes the action."""
        found: dict[str, Any] = self._ask(ask="act", object=item, configMap=config_map, action=action)["patch"]
        return found

    def _ask(self, again: int = 3, **question: Any) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise JudgeFailed(f"the judge has ended, with exit code {self._child.wait(timeout=10)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            if "context deadline exceeded" in answer["error"] and again:  # Argo CD gives Lua a second of the clock
                return self._ask(again=again - 1, **question)
            raise JudgeFailed(answer["error"])
        return answer


def main() -> int:
    """Build it if need be, and print its path; returns the exit status."""
    try:
        print(judge_binary())
    except JudgeFailed as error:
        print(f"gitops: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
