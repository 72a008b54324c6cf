"""What is asked of each server, and one measurement of it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass

from bench.peers.running import Peer
from bench.proxy.processes import load


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of load."""

    name: str
    connections: int
    stream: bool = False
    delay_ms: int = 0
    """Of the mock, before each answer."""


WHOLE = Case("whole c=32", 32)
ONE = Case("whole c=1", 1)
MANY = Case("whole c=200, 50 ms upstream", 200, delay_ms=50)
STREAMS = Case("stream c=32", 32, stream=True)
FIRST_BYTE = Case("stream c=1", 1, stream=True)
CASES = (WHOLE, ONE, MANY, STREAMS, FIRST_BYTE)


@dataclass(frozen=True, slots=True)
class Measured:
    """One server under one load for some seconds."""

    answers: int
    """Those of the warm-up, too."""
    wrong: int
    """Other statuses than success, other lengths than announced, streams without their end, broken connections."""
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server for each answer."""
    first_p50_ms: float
    """Until the first event of streams."""


def measure(peer: Peer, mock: Peer, case: Case, seconds: float) -> Measured:
    """Load ``peer`` for ``seconds``, after a short warm-up; returns when the last request is answered."""
    _delay(mock, case.delay_ms)
    found = load(peer, case.connections, seconds, *(["--stream"] if case.stream else []), *addressed(peer))
    _delay(mock, 0)
    return Measured(
        answers=int(found["all"]),
        wrong=int(found["wrong"]),
        per_second=found["per_second"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        cpu_us=found["cpu_us"],
        first_p50_ms=found["first_p50_ms"],
    )


def addressed(peer: Peer) -> list[str]:
    """Options of the load generator that make its requests such as ``peer`` takes."""
    return ["--path", peer.path, "--model", peer.model, "--headers", json.dumps(dict(peer.headers))]


def _delay(mock: Peer, milliseconds: int) -> None:
    urllib.request.urlopen(f"{mock.base_url}/-/delay/{milliseconds}", timeout=10).close()


def counts(mock: Peer) -> dict[str, int]:
    """How many requests, and batches of telemetry, the mock has taken."""
    with urllib.request.urlopen(f"{mock.base_url}/-/counts", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)
    return found
