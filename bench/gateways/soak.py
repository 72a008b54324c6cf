"""Whether the router's memory grows with what it has answered: ``python -m bench.gateways --soak [REQUESTS]``.

One answer in ten is a stream; users are drawn from a million and sessions never come again, so that whatever is remembered
for each shows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.gateways.cases import addressed
from bench.gateways.goals import MEMORY_AFTER, MEMORY_GOAL_MIB
from bench.gateways.servers import running_fairlead, running_mock
from bench.proxy.installation import POLICIES
from bench.proxy.processes import cores, load
from bench.report import Report
from bench.soak.slope import slope_of

_UNIT = 1_000_000
_GROWTH_GOAL_MIB = 1.0
"""Per million answers. The allocator's own noise is about half of that."""
_CONNECTIONS = 32
_SEGMENT_SECONDS = 2.0
"""Between samples; each segment opens its connections anew."""
_LEAST_SAMPLES = 5


def soak(requests: int, path: Path | None, *, strict: bool, segment_seconds: float = _SEGMENT_SECONDS) -> int:
    """Warm up with ``MEMORY_AFTER`` answers, or ``requests`` if that is less; then sample memory over ``requests`` more."""
    warm_up = min(MEMORY_AFTER, requests)
    report = Report(f"the router's memory: {POLICIES} policies, {warm_up:,} answers, then {requests:,} more")
    under_test, others = cores()
    answers: list[float] = []
    memory: list[float] = []
    wrong = total = segments = 0
    with TemporaryDirectory() as place, running_mock(others) as mock:
        os.sched_setaffinity(0, others)
        with running_fairlead(mock, Path(place), under_test) as router:
            report.add("memory before", router.resident_mib(), "MiB")
            began = perf_counter()
            while total < warm_up + requests or len(memory) < _LEAST_SAMPLES:
                segments += 1
                varied = ["--varied", str(segments), *addressed(router)]
                found = load(router, _CONNECTIONS, segment_seconds, *varied)
                total += int(found["all"])
                wrong += int(found["wrong"])
                if total >= warm_up:
                    answers.append(total / _UNIT)
                    memory.append(router.resident_mib())
                print(
                    f"{total:,} answers, {router.resident_mib():.1f} MiB", end="\033[K\r", file=sys.stderr, flush=True
                )
            lasted = perf_counter() - began
    print("\033[K", end="\r", file=sys.stderr)
    report.add("wrong answers", wrong, at_most=0)
    report.add("answers a second", total / lasted, note="one in ten a stream")
    goal = MEMORY_GOAL_MIB if warm_up >= MEMORY_AFTER else None
    report.add(f"memory after {round(answers[0] * _UNIT):,} answers", memory[0], "MiB", at_most=goal)
    report.add(f"memory after {total:,} answers", memory[-1], "MiB")
    slope = slope_of(answers, memory)
    note = (
        f"95 % between {slope.low:+.2f} and {slope.high:+.2f}; Theil–Sen {slope.theil_sen:+.2f}; {len(memory)} samples"
    )
    growth_goal = _GROWTH_GOAL_MIB if requests >= _UNIT else None
    report.add(f"growth per {_UNIT:,} answers", slope.least_squares, "MiB", at_most=growth_goal, note=note)
    samples = [{"answers": round(x * _UNIT), "mib": y} for x, y in zip(answers, memory, strict=True)]
    return report.publish(path, strict=strict, details={"samples": samples})
