"""Starts a peer for an upstream, says how to talk to it, and ends it."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.bare import BARE_AIOHTTP, BARE_HTTPTOOLS
from bench.peers.cache import kept
from bench.peers.go import GO
from bench.peers.litellm import LITELLM
from bench.peers.nginx import NGINX
from bench.peers.portkey import PORTKEY
from bench.peers.recipe import Launch, PeerUnavailable, Recipe, Site
from bench.peers.tensorzero import TENSORZERO
from bench.proxy.processes import children, cpu_seconds, free_port, resident_mib

_ROOT = Path(__file__).resolve().parents[2]

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe for recipe in (NGINX, GO, BARE_HTTPTOOLS, BARE_AIOHTTP, TENSORZERO, PORTKEY, LITELLM)
}
GATEWAYS = (TENSORZERO.name, PORTKEY.name, LITELLM.name)
"""Those that are used as gateways, and not only measured against."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that runs, and what a chat request to it must look like."""

    name: str
    version: str
    base_url: str
    """Scheme, host and port."""
    path: str
    """Of chat completions."""
    model: str
    """What to send as ``model`` to reach the upstream."""
    pid: int
    ready_seconds: float = 0.0
    """From the start of its process to its first answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """To send with each request: keys, and where to route to."""

    @property
    def url(self) -> str:
        """Where to post chat completions."""
        return self.base_url + self.path

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return int(self.base_url.rpartition(":")[2])

    def cpu_seconds(self) -> float:
        """User and system time so far, of its process and all below."""
        return sum(cpu_seconds(pid) for pid in _family(self.pid))

    def resident_mib(self) -> float:
        """Resident memory now, of its process and all below."""
        return sum(resident_mib(pid) for pid in _family(self.pid))


def install(name: str) -> Path:
    """The folder of a peer in the cache, installed if need be. Raises ``PeerUnavailable``."""
    recipe = RECIPES[name]
    try:
        return kept(recipe.name, recipe.version, recipe.install)
    except PeerUnavailable as error:
        raise PeerUnavailable(
            f"{name} {recipe.version} cannot be installed; it takes {recipe.needs}. {error}"
        ) from error


@contextmanager
def running_peer(
    name: str,
    upstream_url: str,
    *,
    fallback_url: str | None = None,
    cpus: set[int] | None = None,
    start_seconds: float = 120.0,
) -> Iterator[Peer]:
    """``name`` of ``RECIPES`` in front of ``upstream_url``, the base URL of an OpenAI-compatible API up to and with ``/v1``.

    With ``fallback_url``, another such, it is to turn there when the first fails, if it can (``Recipe.falls_back``);
    without, those that balance get two equal targets. ``cpus`` are the cores it may use. Logs go to a file, whose end an
    error quotes. Raises ``PeerUnavailable`` when it cannot be installed or is not ready after ``start_seconds``.
    """
    recipe, installed = RECIPES[name], install(name)
    with tempfile.TemporaryDirectory(prefix=f"peer-{name}-") as scratch:
        site = Site(installed, Path(scratch), free_port(), upstream_url.rstrip("/"), fallback_url)
        launch = recipe.launch(site)
        log = site.scratch / "log"
        began = time.perf_counter()
        with _process(launch, log, cpus) as process:
            port = _wait_until_ready(recipe, launch, process, site.port, log, began + start_seconds)
            yield Peer(
                name=name,
                version=recipe.version,
                base_url=f"http://127.0.0.1:{port}",
                path=launch.path,
                model=launch.model,
                pid=process.pid,
                ready_seconds=time.perf_counter() - began,
                headers=launch.headers,
            )


@contextmanager
def _process(launch: Launch, log: Path, cpus: set[int] | None) -> Iterator[subprocess.Popen[bytes]]:
    """In a session of its own, so that what it starts ends with it."""
    program, *arguments = launch.command
    if (path := shutil.which(program)) is None:
        raise PeerUnavailable(f"{program} is not on this machine")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [path, *arguments],
            cwd=_ROOT,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _wait_until_ready(
    recipe: Recipe, launch: Launch, process: subprocess.Popen[bytes], port: int, log: Path, deadline: float
) -> int:
    """The port at which it answers."""
    while True:
        found = _announced(log) if launch.announces_port else port
        if found is not None and _answers(found, launch.ready_path):
            return found
        if process.poll() is not None or time.perf_counter() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            state = "ended" if process.poll() is not None else "did not get ready"
            raise PeerUnavailable(f"{recipe.name} {recipe.version} {state}:\n{tail}")
        time.sleep(0.005)


def _announced(log: Path) -> int | None:
    found = re.search(rb"^(\d+)\r?\n", log.read_bytes(), re.MULTILINE)
    return int(found[1]) if found else None


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _family(pid: int) -> Sequence[int]:
    return [pid, *(below for child in children(pid) for below in _family(child))]
