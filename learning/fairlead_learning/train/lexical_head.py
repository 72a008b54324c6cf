"""Fits the half of the head that reads n-grams: a multinomial logistic regression over hashed, weighted counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression

from fairlead_learning.head.lexical import BUCKETS, ngrams, weights

_INVERSE_REGULARISATION = 10.0
"""Best of 0.3 to 100 over left-out sources, with wide indifference around it."""
_SCALE = 3.0
"""Brings rows, lengthened by inverse document frequencies, back to a length of about 1."""
_RARE = 2
"""Buckets that occur in fewer texts say nothing about other texts."""


def fit_lexical(
    texts: Sequence[str], labels: Sequence[int], row_weights: Sequence[float], count: int
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Weights (2 x buckets x labels: words, letters) with inverse document frequencies folded in, and biases (labels)."""
    matrix = _matrix(texts)
    documents = np.asarray((matrix > 0).sum(axis=0)).ravel()
    rarity = np.log((1 + matrix.shape[0]) / (1 + documents)) + 1
    rarity = np.where(documents >= _RARE, rarity, 0) / _SCALE
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=200)
    model.fit((matrix @ diags(rarity)).tocsr(), labels, sample_weight=row_weights)
    coefficients, biases = np.zeros((count, 2 * BUCKETS)), np.full(count, -np.inf)
    if len(model.classes_) == 2:  # One row stands for both.
        rows, intercepts = np.vstack([-model.coef_, model.coef_]) / 2, np.array([-1, 1]) * model.intercept_ / 2
    else:
        rows, intercepts = model.coef_, model.intercept_
    coefficients[model.classes_] = rows
    biases[model.classes_] = intercepts
    folded = (coefficients * rarity).T.reshape(2, BUCKETS, count)
    return folded.astype(np.float16), biases.astype(np.float32)


def _matrix(texts: Sequence[str]) -> Any:
    counted = [ngrams(text) for text in texts]
    halves = []
    for half in (0, 1):
        values: list[float] = []
        places: list[int] = []
        starts = [0]
        for each in counted:
            row = weights(each[half])
            places += row.keys()
            values += row.values()
            starts.append(len(places))
        halves.append(csr_matrix((values, places, starts), shape=(len(texts), BUCKETS)))
    return hstack(halves).tocsr()
