"""Starts the processes of a measurement, each on its core, and reads what the kernel knows of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 20.0
_ROOT = Path(__file__).resolve().parents[2]
"""Where ``-m bench…`` can be found from."""


def cores() -> tuple[set[int], set[int]]:
    """One core for the server under test, the others for everything else; the same core if there is but one."""
    available = sorted(os.sched_getaffinity(0))
    return {available[0]}, set(available[1:]) or {available[0]}


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test, or the mock behind it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float = 0.0
    """From the start of its process to its first 200."""

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return cpu_seconds(self.process.pid)

    def resident_mib(self) -> float:
        """Resident memory now."""
        return resident_mib(self.process.pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def children(pid: int) -> list[int]:
    """Processes that ``pid`` started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def announcing_server(name: str, module: str, *arguments: str, on: set[int] | None = None) -> Iterator[Server]:
    """A module of this package that prints the port it listens on; on some cores, or on all."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        preexec_fn=(lambda: os.sched_setaffinity(0, on)) if on else None,
    )
    with _ending(process):
        assert process.stdout is not None
        with process.stdout as announced:
            yield Server(name, process, int(announced.readline()))


@contextmanager
def router(
    source: Sequence[str], folder: Path, *, on: set[int], environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """``fairlead serve`` with everything on: records, metrics, and the access line, which goes to a file in ``folder``.

    ``environment`` comes on top of what is inherited.
    """
    port, admin_port = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "fairlead_cli.main", "serve", *source),
        *("--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin_port)),
        *("--allow-networks", "loopback"),
    ]
    with (folder / "access.log").open("ab") as lines, (folder / "router.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=lines,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, on),
        )
        with _ending(process):
            _wait_until_ready(process, port, folder / "router.log")
            yield Server("router", process, port, time.perf_counter() - began)


class Loaded(Protocol):
    """What can be put under load."""

    @property
    def port(self) -> int:
        """On 127.0.0.1."""

    def cpu_seconds(self) -> float:
        """User and system time so far."""


def load(server: Loaded, connections: int, seconds: float, *options: str) -> dict[str, float]:
    """What the load generator finds, with ``options``; adds the CPU time of ``server`` for each answer, in microseconds."""
    command = [sys.executable, "-m", "bench.proxy.load", str(server.port)]
    command += ["--connections", str(connections), "--seconds", str(seconds), *options]
    before = server.cpu_seconds()
    found: dict[str, float] = json.loads(subprocess.run(command, cwd=_ROOT, check=True, capture_output=True).stdout)
    found["cpu_us"] = (server.cpu_seconds() - before) / max(1, found["all"]) * 1e6
    return found


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.perf_counter() + _START_SECONDS
    while not _ready(port):
        if process.poll() is not None or time.perf_counter() > deadline:
            raise RuntimeError(f"the router did not get ready:\n{log.read_text()}")
        time.sleep(0.002)


def _ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
