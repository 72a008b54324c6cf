"""Microseconds per request in each room of the router: ``python -m bench.profile [--seconds S] [--write]``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.profile.rooms import shares
from bench.proxy.installation import make_objects, write_snapshot
from bench.proxy.processes import Server, announcing_server, cores, load, router
from fairlead_contract.generated import between_marks

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
CASES = {"a whole answer": (), "a stream of 54 events": ("--stream",)}
_CONNECTIONS = 32
_SAMPLES_PER_SECOND = 997
"""A prime, so that nothing periodic is always seen at the same moment."""


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each profile")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/performance.md")
    given = parser.parse_args()
    under_test, others = cores()
    tables = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, others)
        with announcing_server("mock", "bench.proxy.mock", on=others) as mock:
            write_snapshot(make_objects(mock.port), folder / "snapshot")
            with router(["--snapshot", str(folder / "snapshot")], folder, on=under_test) as server:
                load(server, _CONNECTIONS, 1.0)
                for case, options in CASES.items():
                    tables.append(_table(case, *_profile(server, folder / "samples", given.seconds, options)))
    text = "\n".join(tables)
    print(text)
    if given.write:
        DOCUMENT.write_text(between_marks(DOCUMENT.read_text(), "bench.profile", text))
    return 0


def _profile(server: Server, samples: Path, seconds: float, options: tuple[str, ...]) -> tuple[float, dict[str, float]]:
    """CPU time of one request, undisturbed, in microseconds, and the share of each room in it."""
    undisturbed = load(server, _CONNECTIONS, seconds, *options)["cpu_us"]
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(server.process.pid)]
    command += ["--duration", str(round(seconds)), "--rate", str(_SAMPLES_PER_SECOND)]
    command += ["--function", "--format", "raw", "--output", str(samples)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as spy:
        load(server, _CONNECTIONS, seconds + 1, *options)
        _, complaint = spy.communicate()
    if spy.returncode:
        raise SystemExit(f"py-spy could not look at the router: {complaint.decode()}")
    return undisturbed, shares(samples.read_text().splitlines())


def _table(case: str, microseconds: float, found: dict[str, float]) -> str:
    lines = [f"| {case}, {microseconds:.0f} µs of CPU | µs | share |", "|---|---:|---:|"]
    lines += [f"| {room} | {share * microseconds:.0f} | {share:.0%} |" for room, share in found.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
