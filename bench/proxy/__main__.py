"""Router and bare pass-through side by side: ``python -m bench.proxy [--quick] [--json FILE] [--strict]``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.proxy.installation import POLICIES, make_objects, write_resources, write_snapshot
from bench.proxy.processes import Server, announcing_server, children, cores, load, resident_mib, router
from bench.report import Report

RATE_GOAL, MEMORY_GOAL_MIB, READY_GOAL_SECONDS = 0.7, 80.0, 1.0
_STARTS = 3

CASES = {
    "whole c=32": (32, False),
    "stream c=32": (32, True),
    "whole c=1": (1, False),
    "stream c=1": (1, True),
}

Rounds = dict[tuple[str, str], list[dict[str, float]]]
"""Measurements by (case, server)."""


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    given = parser.parse_args()
    rounds, seconds = (3, 0.5) if given.quick else (given.rounds, given.seconds)

    report = Report(f"proxy: {POLICIES} policies, {rounds} interleaved rounds of {seconds:g} s, medians")
    under_test, others = cores()
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        os.sched_setaffinity(0, others)
        mock = stack.enter_context(announcing_server("mock", "bench.proxy.mock", on=others))
        objects = make_objects(mock.port)
        snapshot, resources = folder / "snapshot", folder / "resources"
        resources.mkdir()
        write_snapshot(objects, snapshot)
        write_resources(objects, resources)

        measured = _side_by_side(mock, ["--snapshot", str(snapshot)], folder, under_test, rounds, seconds, report)
        _report_rates(report, measured)
        _report_starts(report, folder, under_test, {"--snapshot": snapshot, "--resources": resources})
    return report.publish(given.json, strict=given.strict)


def _side_by_side(
    mock: Server, source: list[str], folder: Path, on: set[int], rounds: int, seconds: float, report: Report
) -> Rounds:
    url = f"http://127.0.0.1:{mock.port}/v1/chat/completions"
    measured: Rounds = {}
    with (
        router(source, folder, on=on) as fairlead,
        announcing_server("bare", "bench.proxy.bare", url, on=on) as bare,
    ):
        before = fairlead.resident_mib()
        for number in range(rounds):
            for case, (connections, stream) in CASES.items():
                pair = (bare, fairlead) if number % 2 else (fairlead, bare)
                for server in (*pair, *([mock] if connections > 1 else [])):
                    print(f"round {number + 1}: {case}, {server.name} …", end="\033[K\r", file=sys.stderr, flush=True)
                    found = load(server, connections, seconds, *(["--stream"] if stream else []))
                    measured.setdefault((case, server.name), []).append(found)
        print("\033[K", end="\r", file=sys.stderr)
        report.add("memory, router before", before, "MiB")
        report.add("memory, router after", fairlead.resident_mib(), "MiB", at_most=MEMORY_GOAL_MIB)
        report.add("memory, bare after", bare.resident_mib(), "MiB")
    answers = sum(found["all"] for (_, name), each in measured.items() for found in each if name == "router")
    lines = (folder / "access.log").read_bytes().count(b"/v1/chat/completions")
    report.add("access lines per answer", lines / answers, at_least=1, note=f"of {answers:,.0f} answers")
    return measured


def _report_rates(report: Report, measured: Rounds) -> None:
    wrong = sum(found["wrong"] for each in measured.values() for found in each)
    report.add("wrong answers", wrong, at_most=0)
    for case, (connections, stream) in CASES.items():
        unit = "streams/s" if stream else "req/s"
        mine, bare = measured[case, "router"], measured[case, "bare"]
        ratios = [one["per_second"] / other["per_second"] for one, other in zip(mine, bare, strict=True)]
        goal = RATE_GOAL if connections > 1 else None
        spread = f"rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
        report.add(f"{case}, router / bare", median(ratios), at_least=goal, note=spread)
        per_core = [other["cpu_us"] / one["cpu_us"] for one, other in zip(mine, bare, strict=True)]
        spread = f"rounds {', '.join(f'{ratio:.2f}' for ratio in per_core)}"
        report.add(f"{case}, router / bare per core", median(per_core), at_least=goal, note=spread)
        for name in ("router", "bare", "mock"):
            if (case, name) in measured:
                _report_server(report, f"{case}, {name}", measured[case, name], unit)


def _report_server(report: Report, label: str, rounds: list[dict[str, float]], unit: str) -> None:
    def middle(key: str) -> float:
        return median(found[key] for found in rounds)

    times = f"p50 {middle('p50_ms'):.2f} ms, p99 {middle('p99_ms'):.2f} ms"
    report.add(label, middle("per_second"), unit, note=f"{times}, {middle('cpu_us'):.0f} µs CPU each")


def _report_starts(report: Report, folder: Path, on: set[int], sources: dict[str, Path]) -> None:
    """Started alone: nothing else wants the core. The compiler beside ``--resources`` shares it with the router."""
    for option, path in sources.items():
        ready, memory, compiler = [], [], []
        for _ in range(_STARTS):
            with router([option, str(path)], folder, on=on) as server:
                ready.append(server.ready_seconds)
                memory.append(server.resident_mib())
                compiler += [resident_mib(child) for child in children(server.process.pid)]
        report.add(f"ready, serve {option}", median(ready), "s", at_most=READY_GOAL_SECONDS)
        note = f"and {median(compiler):.0f} MiB of its compiler" if compiler else ""
        report.add(f"memory, serve {option}, idle", median(memory), "MiB", at_most=MEMORY_GOAL_MIB, note=note)


if __name__ == "__main__":
    raise SystemExit(main())
