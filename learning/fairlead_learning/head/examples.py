"""Categories by example: what is like a text that somebody gave as an example gets that example's category.

Likeness is that of the general encoder, whose vectors mean topics; those of the tuned one mean the categories that it knows
already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.head.combine import Floats

UNRELATED = 0.55
"""Cosine that fewer than one in a thousand pairs of different prompts of the training data exceed."""
ALIKE = 0.75
"""Cosine from which the nearest example decides alone; between the two its share grows evenly."""


class Examples:
    """Texts by category, encoded once."""

    def __init__(self, encoder: Encoder, texts: Mapping[str, Sequence[str]], trained: tuple[str, ...]) -> None:
        """``trained``: the labels of the classifier that comes before; new categories follow them. Blocks while encoding."""
        self.labels = (*trained, *(category for category in texts if category not in trained))
        self._encoder = encoder
        self._vectors = encoder.encode([text for group in texts.values() for text in group])
        self._owners: NDArray[np.int64] = np.array(
            [self.labels.index(category) for category, group in texts.items() for _ in group], np.int64
        )

    def applied(self, texts: Sequence[str], probabilities: Floats) -> Floats:
        """Probabilities over all labels, texts x labels, from those of the trained ones."""
        result = np.zeros((len(texts), len(self.labels)))
        result[:, : probabilities.shape[1]] = probabilities
        if not len(self._owners):
            return result
        cosines = self._encoder.encode(texts) @ self._vectors.T
        nearest = cosines.argmax(axis=1)
        rows = np.arange(len(texts))
        share = np.clip((cosines[rows, nearest].astype(np.float64) - UNRELATED) / (ALIKE - UNRELATED), 0.0, 1.0)
        result *= (1 - share)[:, None]
        result[rows, self._owners[nearest]] += share
        return result
