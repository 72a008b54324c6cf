"""The two halves of the head brought together, and how far the result is believed. Pure numpy.

Log-probabilities of the tuned encoder and of the n-grams are added with weights (a product of experts, Hinton 2002) and
sharpened or flattened by one temperature (Guo et al. 2017, arXiv 1706.04599). The conformal set is the least ambiguous one
(Sadinle, Lei and Wasserman 2019, arXiv 1609.00451): every label whose probability reaches a threshold, below which at most
the chosen share of right labels lay in calibration rows, and always the most probable label.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def combined(encoder: Floats, lexical: Floats, *, lexical_weight: float, temperature: float) -> Floats:
    """Probabilities (n, labels) from the scores of both halves (n, labels)."""
    scores = (log_softmax(encoder) + lexical_weight * log_softmax(lexical)) / temperature
    result: Floats = np.exp(log_softmax(scores))
    return result


def conformal_threshold(right: NDArray[np.floating], error_percent: float) -> float:
    """The probability that a label must reach so that right labels fall below it in at most ``error_percent`` of texts.

    ``right``: probabilities given to the right labels of calibration rows, in rising order.
    """
    count = len(right)
    # The finite-sample rank of split conformal prediction: of n + 1 exchangeable rows at most this many may lie below.
    below = math.floor((count + 1) * error_percent / 100)
    return 0.0 if below < 1 else float(right[min(below, count) - 1])


def conformal_set(probabilities: Floats, labels: tuple[str, ...], threshold: float) -> tuple[str, ...]:
    """Labels of one text that cannot be excluded, the most probable first; never empty."""
    order = np.argsort(-probabilities, kind="stable")
    kept = [labels[place] for place in order if probabilities[place] >= threshold]
    return tuple(kept) or (labels[int(order[0])],)
