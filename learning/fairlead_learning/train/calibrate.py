"""How the two halves of the head are weighed, and how far they are believed, from rows neither was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fairlead_learning.head.combine import Floats, combined

LEXICAL_WEIGHTS = tuple(round(0.1 * step, 1) for step in range(16))
_TEMPERATURES = (0.2, 10.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """See :func:`fairlead_learning.head.combine.combined`."""

    lexical_weight: float
    temperature: float


def calibrate(encoder: Floats, lexical: Floats, right: NDArray[np.int64]) -> Calibration:
    """The weight and the temperature under which the right labels (positions) are most likely."""
    found = []
    for weight in LEXICAL_WEIGHTS:

        def loss(temperature: float, weight: float = weight) -> float:
            probabilities = combined(encoder, lexical, lexical_weight=weight, temperature=temperature)
            return -float(np.log(np.maximum(probabilities[np.arange(len(right)), right], 1e-12)).mean())

        best = minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded", options={"xatol": 1e-3})
        found.append((float(best.fun), weight, round(float(best.x), 3)))
    _, weight, temperature = min(found)
    return Calibration(weight, temperature)
