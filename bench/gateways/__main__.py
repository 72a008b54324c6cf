"""The router beside other gateways: ``python -m bench.gateways [--quick] [--only NAMES] [--json FILE] [--write] [--soak]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.gateways import table
from bench.gateways.cases import CASES, WHOLE, Case, Measured, counts, measure
from bench.gateways.goals import MEMORY_AFTER, judge, judge_router, tell_rounds
from bench.gateways.servers import ACCESS_LOG, FAIRLEAD, TRACED, running_fairlead, running_mock
from bench.gateways.soak import soak
from bench.gateways.table import Taken
from bench.peers.cache import say
from bench.peers.check import check
from bench.peers.recipe import PeerUnavailable
from bench.peers.running import RECIPES, Peer, install, running_peer
from bench.proxy.installation import POLICIES
from bench.proxy.processes import cores
from bench.report import Report, finite

_STARTS = 3
_PATIENCE = {"litellm": 3.0, "portkey": 1.5}
"""Times the usual seconds, for those that answer so seldom that a share of a second more or less would show."""

Found = dict[tuple[Case, str], list[Measured]]


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=float, help="of each measurement; default 3")
    parser.add_argument(
        "--quick", action="store_true", help="one round of half a second: whether all works, not how fast"
    )
    parser.add_argument("--only", metavar="NAMES", help=f"some of {FAIRLEAD},{','.join(RECIPES)}, with commas between")
    parser.add_argument("--json", type=Path, metavar="FILE", help="rows and all rounds")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/performance.md")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if a goal is missed or a peer is not to be had"
    )
    parser.add_argument(
        "--soak", type=int, nargs="?", const=1_000_000, metavar="REQUESTS", help="the router's memory instead"
    )
    given = parser.parse_args()
    if given.soak:
        return soak(given.soak, given.json, strict=given.strict)
    everyone = [FAIRLEAD, *RECIPES]
    names = given.only.split(",") if given.only else everyone
    if unknown := [name for name in names if name not in everyone]:
        parser.error(f"no server is called {', '.join(unknown)}; there are {', '.join(everyone)}")
    rounds = given.rounds or (1 if given.quick else 5)
    seconds = given.seconds or (0.5 if given.quick else 3.0)
    return _compare(names, rounds, seconds, given.json, top_up=not given.quick, write=given.write, strict=given.strict)


def _compare(
    names: Sequence[str], rounds: int, seconds: float, path: Path | None, *, top_up: bool, write: bool, strict: bool
) -> int:
    title = f"gateways: {POLICIES} policies, {TRACED:.0%} traces, {rounds} interleaved rounds of {seconds:g} s, medians"
    report = Report(title)
    missing = _installed(names)
    names = [name for name in names if name not in missing]
    under_test, others = cores()
    with TemporaryDirectory() as place, ExitStack() as stack:
        os.sched_setaffinity(0, others)
        folder = Path(place)
        mock = stack.enter_context(running_mock(others))
        ready = _starts(mock, folder, under_test) if FAIRLEAD in names else []
        servers = [mock]
        for name in names:
            print(f"starting {name} …", end="\033[K\r", file=sys.stderr, flush=True)
            try:
                servers.append(_started(stack, name, mock, folder, under_test))
            except PeerUnavailable as error:
                missing[name] = str(error)
        found = _measure_all(servers, mock, rounds, seconds)
        answers = _answers(found)
        running = [server.name for server in servers]
        if FAIRLEAD in running:
            router = next(server for server in servers if server.name == FAIRLEAD)
            while top_up and answers[FAIRLEAD] < MEMORY_AFTER:
                answers[FAIRLEAD] += measure(router, mock, WHOLE, seconds).answers
        taken = {
            server.name: Taken(
                f"{server.name} {server.version}".strip(),
                server.resident_mib(),
                answers[server.name],
                server.ready_seconds,
            )
            for server in servers
        }
        judge(report, found, running)
        if FAIRLEAD in running:
            judge_router(report, ready=ready, answers=answers[FAIRLEAD], resident_mib=taken[FAIRLEAD].resident_mib)
            _judge_what_is_on(report, folder, mock, answers[FAIRLEAD])
        for name, reason in missing.items():
            report.add(f"{name} is not to be had", 1, at_most=0, note=reason.splitlines()[0])
    print(tell_rounds(found, running), end="\n\n")
    how = f"{rounds} interleaved rounds of {seconds:g} s, medians; the server under test on one core, load and mock on another."
    block = table.markdown(found, running, taken, report, how)
    if write:
        table.write(block)
    details = {
        "rounds": {
            f"{case.name}, {name}": [finite(asdict(each)) for each in each_round]
            for (case, name), each_round in found.items()
        },
        "taken": {name: asdict(each) for name, each in taken.items()},
    }
    return report.publish(path, strict=strict, details=details)


def _installed(names: Sequence[str]) -> dict[str, str]:
    """Install what is not there yet, before anything is measured; who cannot be had, and why."""
    missing = {}
    for name in names:
        try:
            if name != FAIRLEAD:
                install(name)
        except PeerUnavailable as error:
            say(str(error))
            missing[name] = str(error)
    return missing


def _starts(mock: Peer, folder: Path, cpus: set[int]) -> list[float]:
    """Seconds until the router, alone on its core, is ready."""
    found = []
    for number in range(_STARTS):
        place = folder / f"start-{number}"
        place.mkdir()
        with running_fairlead(mock, place, cpus) as router:
            found.append(router.ready_seconds)
    return found


def _started(stack: ExitStack, name: str, mock: Peer, folder: Path, cpus: set[int]) -> Peer:
    """Started, and seen to pass on what the mock says."""
    if name == FAIRLEAD:
        peer = stack.enter_context(running_fairlead(mock, folder, cpus))
    else:
        peer = stack.enter_context(running_peer(name, f"{mock.base_url}/v1", cpus=cpus))
    if faults := check(peer):
        raise PeerUnavailable(f"{name} answers wrongly: {'; '.join(faults)}")
    return peer


def _measure_all(servers: Sequence[Peer], mock: Peer, rounds: int, seconds: float) -> Found:
    """Each server under each load, round by round; who comes first changes."""
    found: Found = {}
    for number in range(rounds):
        first = number % len(servers)
        for case in CASES:
            for server in (*servers[first:], *servers[:first]):
                print(f"round {number + 1}: {case.name}, {server.name} …", end="\033[K\r", file=sys.stderr, flush=True)
                lasting = seconds * _PATIENCE.get(server.name, 1.0)
                found.setdefault((case, server.name), []).append(measure(server, mock, case, lasting))
    print("\033[K", end="\r", file=sys.stderr)
    return found


def _answers(found: Found) -> dict[str, int]:
    """What each server has answered."""
    total: dict[str, int] = {}
    for (_, name), each_round in found.items():
        total[name] = total.get(name, 0) + sum(each.answers for each in each_round)
    return total


def _judge_what_is_on(report: Report, folder: Path, mock: Peer, answers: int) -> None:
    """That the router did all it was said to do while it was measured."""
    lines = (folder / ACCESS_LOG).read_bytes().count(b"/v1/chat/completions")
    report.add("access lines per answer", lines / answers, at_least=1, note=f"of {answers:,} answers")
    report.add("batches of traces received", counts(mock)["traces"], at_least=1)


if __name__ == "__main__":
    raise SystemExit(main())
