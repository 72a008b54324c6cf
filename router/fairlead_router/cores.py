"""How many cores this process may use: what ``--workers auto`` stands for."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def worker_count(text: str) -> int:
    """A number of at least one, or ``auto``: one for each core. Raises ``ValueError``."""
    if text == "auto":
        return available_cores(len(os.sched_getaffinity(0)), cgroup_quota())
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError("takes auto, or a whole number of at least 1")
    return number


def available_cores(affinity: int, quota: float | None) -> int:
    """Cores that may be used: no more than the scheduler lets us on, no more than the quota pays for.

    A part of a core counts as one, as in Go's GOMAXPROCS and the JVM: rounding down would leave it unused.
    """
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))


def cgroup_quota(root: Path = _CGROUP) -> float | None:
    """Cores' worth of time that the container may take; ``None`` without a limit. Reads cgroup v2, then v1."""
    try:
        return _ratio(*(root / "cpu.max").read_text().split())
    except (OSError, ValueError, TypeError):
        pass
    try:
        return _ratio((root / "cpu" / "cpu.cfs_quota_us").read_text(), (root / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None


def _ratio(quota: str, period: str) -> float | None:
    """Raises ``ValueError``."""
    if quota == "max" or int(quota) <= 0:
        return None
    return int(quota) / int(period)
