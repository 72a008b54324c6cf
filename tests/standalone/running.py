"""Starts ``fairlead serve`` as a person would, on free ports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
FAIRLEAD = Path(sys.executable).with_name("fairlead")
_PATIENCE_SECONDS = 30.0
T = TypeVar("T")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(read: Callable[[], T | None], what: str) -> T:
    """Ask again until the answer is neither ``None`` nor false."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        value = read()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {_PATIENCE_SECONDS:.0f} s for {what}")


@dataclass
class Serving:
    """A running router process."""

    process: subprocess.Popen[bytes]
    port: int
    admin_port: int
    log: Path

    def get(self, path: str, *, admin: bool = False) -> tuple[int, Any]:
        """Status and JSON of a GET; status 0 if nobody answers."""
        return self._send(path, None, {}, admin=admin)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of a POST."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send(path, data, headers or {}, admin=False)

    def chat(self, model: str = "auto", **headers: str) -> tuple[int, Any]:
        """One short chat request."""
        named = {f"x-fairlead-{name.replace('_', '-')}": value for name, value in headers.items()}
        body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "Which way?"}]}
        return self.post("/v1/chat/completions", body, named)

    def _send(self, path: str, data: bytes | None, headers: dict[str, str], *, admin: bool) -> tuple[int, Any]:
        port = self.admin_port if admin else self.port
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, None


@contextmanager
def serving(*arguments: str, log: Path, **environment: str) -> Iterator[Serving]:
    """``fairlead serve`` with ``arguments``, ready to answer; ended with SIGTERM."""
    port, admin_port = free_port(), free_port()
    command = [str(FAIRLEAD), "serve", *arguments, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--admin-port", str(admin_port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT, env=os.environ | environment)
    running = Serving(process, port, admin_port, log)
    try:
        wait_for(lambda: running.get("/health/ready")[0] == 200 or process.poll() is not None, "the router to be ready")
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
