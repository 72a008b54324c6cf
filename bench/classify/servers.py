"""Processes that classify: memory, time until ready, rate over HTTP, and what others notice of it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.proxy.installation import make_objects, write_snapshot
from bench.proxy.processes import Server, announcing_server, free_port, router
from bench.report import Report

MEMORY_GOAL_MIB, READY_GOAL_SECONDS, LOOP_GOAL = 300.0, 3.0, 2.0
_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 60.0
_BUSY_CONNECTIONS = 4
_LONG = "A long report on harbours, tides and cranes. " * 2000


def measure_servers(report: Report, bundle: Path, texts: Path, folder: Path, *, seconds: float, rounds: int) -> None:
    """All rows of processes. ``folder``: for their files."""
    everywhere = set(os.sched_getaffinity(0))
    environment = {
        "FAIRLEAD_CLASSIFIER": "always",
        "FAIRLEAD_CLASSIFIER_BUNDLE": str(bundle),
        "FAIRLEAD_CLASSIFIER_CACHE_TTL_SECONDS": "0",
    }
    _measure_classifier(report, environment, texts, folder, seconds)
    with announcing_server("mock", "bench.proxy.mock", on=everywhere) as mock:
        snapshot = folder / "snapshot"
        write_snapshot(make_objects(mock.port), snapshot)
        source = ["--snapshot", str(snapshot)]
        with router(source, folder, on=everywhere, environment={**environment, "FAIRLEAD_CLASSIFIER": "off"}) as plain:
            _load(plain.port, texts, "chat", seconds=min(seconds, 1.0))
            without = plain.resident_mib()
        with router(source, folder, on=everywhere, environment=environment) as fairlead:
            wait_until_learned(fairlead.port)
            _measure_router(report, fairlead, texts, without, seconds=seconds, rounds=rounds)


def _measure_router(
    report: Report, fairlead: Server, texts: Path, without: float, *, seconds: float, rounds: int
) -> None:
    ask(fairlead.port, "POST", "/classify", {"prompt": _LONG})
    quiet, busy, classified = [], [], 0.0
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}: quiet and busy …", end="\033[K\r", file=sys.stderr, flush=True)
        quiet.append(_load(fairlead.port, texts, "chat", seconds=seconds)["p99_ms"])
        with _classifying(fairlead.port, texts, seconds + 2.0) as others:
            busy.append(_load(fairlead.port, texts, "chat", seconds=seconds)["p99_ms"])
        classified = others["per_second"]
    print("\033[K", end="\r", file=sys.stderr)
    report.add("router's memory with the classifier", fairlead.resident_mib(), "MiB", at_most=MEMORY_GOAL_MIB)
    report.add("router's memory without", without, "MiB")
    report.add("chat p99 while nobody classifies", median(quiet), "ms", note=_each(quiet))
    report.add("chat p99 while others classify", median(busy), "ms", note=f"{_each(busy)}; {classified:.0f} a second")
    ratios = [one / other for one, other in zip(busy, quiet, strict=True)]
    report.add("chat p99, busy / quiet", median(ratios), at_most=LOOP_GOAL, note=_each(ratios))


def _measure_classifier(
    report: Report, environment: Mapping[str, str], texts: Path, folder: Path, seconds: float
) -> None:
    starts = []
    for _ in range(3):
        with classifier(environment, folder) as (port, ready):
            starts.append(ready)
    note = "until the bundle is in force"
    report.add("fairlead classifier: ready", median(starts), "s", at_most=READY_GOAL_SECONDS, note=note)
    for name, ttl_seconds in (("uncached", "0"), ("cached", "3600")):
        with classifier({**environment, "FAIRLEAD_CLASSIFIER_CACHE_TTL_SECONDS": ttl_seconds}, folder) as (port, _):
            if name == "cached":
                _load(port, texts, "classify", seconds=seconds)
            found = _load(port, texts, "classify", seconds=seconds)
            note = f"p50 {found['p50_ms']:.1f} ms, {found['wrong']:.0f} wrong"
            report.add(f"fairlead classifier: POST /classify, {name}", found["per_second"], "/s", note=note)


@contextmanager
def classifier(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[int, float]]:
    """``fairlead classifier``: its port, and the seconds from its start until its bundle is in force."""
    port = free_port()
    words = ("--host", "127.0.0.1", "--port", str(port), "--admin-port", str(free_port()))
    with (folder / "classifier.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "fairlead_cli.main", "classifier", *words],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_learned(port)
            yield port, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def wait_until_learned(port: int) -> None:
    """Return once the process at ``port`` answers with a bundle's classifier. Raises ``RuntimeError`` if it will not."""
    until = time.perf_counter() + _PATIENCE_SECONDS
    state = "no answer"
    while time.perf_counter() < until and state != "Ready":
        try:
            state = ask(port, "GET", "/info")["state"]
        except OSError:
            state = "no answer"
        if state == "Absent":
            break
        time.sleep(0.01)
    if state != "Ready":
        raise RuntimeError(f"the classifier at port {port} is not ready: {state}")


def ask(port: int, method: str, path: str, body: object = None) -> dict[str, Any]:
    """The answer, decoded. Raises ``OSError`` where nobody answers, ``RuntimeError`` for another status than 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]!r}")
    found: dict[str, Any] = json.loads(data)
    return found


@contextmanager
def _classifying(port: int, texts: Path, seconds: float) -> Iterator[dict[str, float]]:
    """Others classify meanwhile; what they saw is filled in at the end."""
    found: dict[str, float] = {}
    with subprocess.Popen(_command(port, texts, "classify", seconds), cwd=_ROOT, stdout=subprocess.PIPE) as process:
        time.sleep(1.0)  # for it to start
        yield found
        assert process.stdout is not None
        found |= json.loads(process.stdout.read())


def _load(port: int, texts: Path, what: str, *, seconds: float) -> dict[str, float]:
    done = subprocess.run(_command(port, texts, what, seconds), cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _command(port: int, texts: Path, what: str, seconds: float) -> list[str]:
    options = ["--seconds", str(seconds), "--connections", str(_BUSY_CONNECTIONS)]
    return [sys.executable, "-m", "bench.classify.load", str(port), str(texts), what, *options]


def _each(values: list[float]) -> str:
    return f"rounds {', '.join(f'{value:.3g}' for value in values)}"
