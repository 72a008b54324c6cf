"""A slope with its interval, from samples that resemble their neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import NormalDist, fmean, median
from typing import NamedTuple

_BATCHES = 30


class Slope(NamedTuple):
    """Per unit of x."""

    least_squares: float
    low: float
    high: float
    """Ends of the 95 % confidence interval of ``least_squares``."""
    theil_sen: float
    """The median of the slopes between all pairs, which single jumps do not move."""


def slope_of(x: Sequence[float], y: Sequence[float]) -> Slope:
    """Memory now is much like memory a second ago, so ordinary least squares on the samples themselves would give an interval
    that is far too narrow: it is taken on the means of 30 batches of neighbours. At least three samples.
    """
    x, y = _batched(x), _batched(y)
    count = len(x)
    mean_x, mean_y = fmean(x), fmean(y)
    spread = sum((each - mean_x) ** 2 for each in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    left = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    margin = _t_quantile(0.975, count - 2) * math.sqrt(left / (count - 2) / spread)
    pairs = [(d - b) / (c - a) for (a, b), (c, d) in combinations(zip(x, y, strict=True), 2) if c != a]
    return Slope(slope, slope - margin, slope + margin, median(pairs))


def _batched(values: Sequence[float]) -> list[float]:
    batches = min(_BATCHES, len(values))
    edges = [len(values) * number // batches for number in range(batches + 1)]
    return [fmean(values[begin:end]) for begin, end in pairwise(edges)]


def _t_quantile(probability: float, freedom: int) -> float:
    """Student's t by its expansion in the normal quantile (Abramowitz & Stegun 26.7.5); right within 1 % from 5 degrees on."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
