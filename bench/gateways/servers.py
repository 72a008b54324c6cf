"""The router as its users run it, with everything on, and the mock, in the shape of peers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from bench.gateways.ratios import DIRECT
from bench.peers.running import Peer
from bench.proxy.installation import make_objects, write_snapshot
from bench.proxy.processes import Server, announcing_server, router
from bench.proxy.requests import MODEL, PATH, ROUTER_HEADERS

FAIRLEAD = "fairlead"
TRACED = 0.01
"""Share of requests that are traced."""
ACCESS_LOG = "access.log"
"""Where the router's access lines are, in the folder it is given."""


@contextmanager
def running_mock(cpus: set[int]) -> Iterator[Peer]:
    """The provider behind all others, which takes telemetry too."""
    with announcing_server(DIRECT, "bench.proxy.mock", on=cpus) as server:
        yield _peer(server, {})


@contextmanager
def running_fairlead(mock: Peer, folder: Path, cpus: set[int]) -> Iterator[Peer]:
    """20 policies, decision records, metrics, the access line in a file of ``folder``, and one request in a hundred traced."""
    snapshot = folder / "snapshot"
    write_snapshot(make_objects(mock.port), snapshot)
    telemetry = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": mock.base_url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(TRACED),
    }
    with router(["--snapshot", str(snapshot)], folder, on=cpus, environment=telemetry) as server:
        yield _peer(server, ROUTER_HEADERS)


def _peer(server: Server, headers: dict[str, str]) -> Peer:
    return Peer(
        name=FAIRLEAD if server.name == "router" else server.name,
        version=version("fairlead") if server.name == "router" else "",
        base_url=f"http://127.0.0.1:{server.port}",
        path=PATH,
        model=MODEL,
        pid=server.process.pid,
        ready_seconds=server.ready_seconds,
        headers=headers,
    )
