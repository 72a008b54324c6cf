"""What was promised, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.gateways.cases import CASES, STREAMS, WHOLE, Case
from bench.gateways.ratios import DIRECT, Rounds, added_ms, added_ratio, middle, per_core_ratios, rate_ratios
from bench.gateways.servers import FAIRLEAD
from bench.report import Report

RATE_GOALS: dict[tuple[Case, str], float] = {
    (WHOLE, "bare-aiohttp"): 0.7,
    (STREAMS, "bare-aiohttp"): 0.7,
    (WHOLE, "tensorzero"): 0.9,
    (WHOLE, "litellm"): 40.0,
}
"""Least rate of the router, as a multiple of another's."""
PER_CORE_GOALS: dict[tuple[Case, str], float] = {(STREAMS, "bare-aiohttp"): 0.7}
"""The same of what each answers per second of its CPU time. Load and mock together make some 2,000 streams a second, which
a fast server reaches with time to spare.
"""
ADDED_GOAL = 1.7
"""Most that the router may add at one connection, at the median, as a multiple of what bare aiohttp adds."""
MEMORY_GOAL_MIB, MEMORY_AFTER, READY_GOAL_SECONDS = 80.0, 100_000, 1.0


def judge(report: Report, rounds: Rounds, names: Sequence[str]) -> None:
    """Rows for wrong answers and for the router against each other server in ``names``."""
    report.add("wrong answers", sum(each.wrong for found in rounds.values() for each in found), at_most=0)
    if FAIRLEAD not in names:
        return
    others = [name for name in names if name not in {FAIRLEAD, DIRECT}]
    for case in (WHOLE, STREAMS):
        for other in others:
            name = f"{case.name}, {FAIRLEAD} / {other}"
            ratios = rate_ratios(rounds, case, FAIRLEAD, other)
            cores = per_core_ratios(rounds, case, FAIRLEAD, other)
            note = f"rounds {_listed(ratios)}; per core {median(cores):.3g}"
            report.add(name, median(ratios), at_least=RATE_GOALS.get((case, other)), note=note)
            if (goal := PER_CORE_GOALS.get((case, other))) is not None:
                report.add(f"{name}, per core", median(cores), at_least=goal, note=f"rounds {_listed(cores)}")
    for other in others:
        goal = ADDED_GOAL if other == "bare-aiohttp" else None
        mine, its = (added_ms(rounds, name, percent=50) for name in (FAIRLEAD, other))
        note = f"ms, rounds {_listed(mine)} and {_listed(its)}"
        report.add(
            f"added p50 c=1, {FAIRLEAD} / {other}", added_ratio(rounds, FAIRLEAD, other), at_most=goal, note=note
        )


def judge_router(report: Report, *, ready: Sequence[float], answers: int, resident_mib: float) -> None:
    """Rows for what the router takes; its memory has a goal once it has answered ``MEMORY_AFTER`` requests."""
    report.add("ready", median(ready), "s", at_most=READY_GOAL_SECONDS, note=f"starts {_listed(ready)}")
    goal = MEMORY_GOAL_MIB if answers >= MEMORY_AFTER else None
    report.add(f"memory after {answers:,} answers", resident_mib, "MiB", at_most=goal)


def tell_rounds(rounds: Rounds, names: Sequence[str]) -> str:
    """All that was measured, a line for each case and server."""
    lines = []
    for case in CASES:
        lines.append(f"{case.name}: answers/s by round; p50 and p99 (medians)")
        for name in names:
            rates = ", ".join(f"{each.per_second:,.0f}" for each in rounds[case, name])
            p50, p99 = (middle(rounds, case, name, field) for field in ("p50_ms", "p99_ms"))
            lines.append(f"  {name:<16} {rates}; {p50:.2f} and {p99:.2f} ms")
    return "\n".join(lines)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
