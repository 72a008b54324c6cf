"""Asks ``devcluster/tools/judge``: what Argo CD and kstatus conclude, told by their own code."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from devcluster.programs import program


class JudgeFailed(Exception):
    """The program has ended, or could not answer; the message says why."""


class Judge:
    """The running program; a question at a time."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Blocks while the program is built. ``environment`` is added to ours."""
        pipe = subprocess.PIPE
        variables = {**os.environ, **(environment or {})}
        self._child = subprocess.Popen([program("judge")], stdin=pipe, stdout=pipe, text=True, env=variables)

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
