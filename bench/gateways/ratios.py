"""From rounds to figures: ratios and differences are taken within each round, and their median is told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from bench.gateways.cases import FIRST_BYTE, ONE, Case, Measured

Rounds = Mapping[tuple[Case, str], Sequence[Measured]]
"""By case and server, one for each round."""

DIRECT = "direct"
"""The mock without anything before it."""


def rate_ratios(rounds: Rounds, case: Case, mine: str, other: str) -> list[float]:
    """Answers a second of ``mine`` for each of ``other``, by round; infinite where ``other`` gave none."""
    pairs = zip(rounds[case, mine], rounds[case, other], strict=True)
    return [one.per_second / two.per_second if two.per_second else math.inf for one, two in pairs]


def per_core_ratios(rounds: Rounds, case: Case, mine: str, other: str) -> list[float]:
    """Answers for each second of CPU time of ``mine`` for each of ``other``, by round."""
    pairs = zip(rounds[case, mine], rounds[case, other], strict=True)
    return [two.cpu_us / one.cpu_us if one.cpu_us else math.inf for one, two in pairs]


def added_ms(rounds: Rounds, name: str, *, percent: int) -> list[float]:
    """Milliseconds that ``name`` adds to a request at one connection, at the median (50) or the 99th percentile, by round."""
    pairs = zip(rounds[ONE, name], rounds[ONE, DIRECT], strict=True)
    if percent == 50:
        return [one.p50_ms - direct.p50_ms for one, direct in pairs]
    return [one.p99_ms - direct.p99_ms for one, direct in pairs]


def added_first_byte_ms(rounds: Rounds, name: str) -> list[float]:
    """Milliseconds that ``name`` adds until the first event of a stream at one connection, at the median, by round."""
    pairs = zip(rounds[FIRST_BYTE, name], rounds[FIRST_BYTE, DIRECT], strict=True)
    return [one.first_p50_ms - direct.first_p50_ms for one, direct in pairs]


def added_ratio(rounds: Rounds, mine: str, other: str) -> float:
    """What ``mine`` adds for each millisecond that ``other`` adds: of medians, as a single one may be next to zero.

    Infinite where ``other`` seems to add nothing, which says that the rounds were too short.
    """
    its = median(added_ms(rounds, other, percent=50))
    return median(added_ms(rounds, mine, percent=50)) / its if its > 0 else math.inf


def per_core(rounds: Rounds, case: Case, name: str) -> float:
    """Answers for each second of CPU time: what the rate would be if the server never waited for load and mock."""
    return 1e6 / max(1e-9, median(each.cpu_us for each in rounds[case, name]))


def middle(rounds: Rounds, case: Case, name: str, field: str) -> float:
    """The median of a field of ``Measured``."""
    values: list[float] = [getattr(each, field) for each in rounds[case, name]]
    return median(values)
