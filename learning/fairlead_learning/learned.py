"""The learned half of the classifier: a bundle in, verdicts on texts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import MAKE_AGAIN, BundleError
from fairlead_learning.bundles.manifest import MANIFEST, BundleKind
from fairlead_learning.bundles.verify import check_self_tests
from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.head.combine import Floats, combined, conformal_set, conformal_threshold
from fairlead_learning.head.examples import Examples
from fairlead_learning.head.lexical import ngrams, weights
from fairlead_learning.head.parameters import head_parameters_of
from fairlead_learning.verdict import DEFAULT_ERROR_PERCENT, LearnedVerdict

LOGITS = "logits"
"""Output of the encoder's graph that the head reads."""
DEFAULT_CLASSIFIER = Path(__file__).parent / "default_bundle" / "classifier"
"""The bundle that comes with the package."""


class LearnedClassifier:
    """A tuned encoder with a linear head, and n-grams beside it. Any number of threads may call at once."""

    @classmethod
    def open(
        cls,
        folder: Path = DEFAULT_CLASSIFIER,
        *,
        threads: int = 1,
        error_percent: float = DEFAULT_ERROR_PERCENT,
        examples: Mapping[str, Sequence[str]] | None = None,
    ) -> LearnedClassifier:
        """Load a bundle and let it pass its self-tests: about half a second. Raises :class:`BundleError`.

        Args:
            threads: of ONNX Runtime.
            error_percent: share of texts whose right category may be missing in the conformal set, as far as they are like the
                calibration rows.
            examples: texts by category, which may be one that the bundle was not trained for: what is like one of them gets
                that category. They take the general encoder beside the tuned one, and its time.
        """
        bundle = Bundle.open(folder, BundleKind.CLASSIFIER)
        bare = cls(bundle, threads=threads, error_percent=error_percent)
        check_self_tests(bundle, bare._self_test)
        if examples:
            bare._examples = Examples(Encoder.open(DEFAULT_ENCODER, threads=threads), examples, bare.labels)
            bare.labels = bare._examples.labels
        return bare

    def __init__(self, bundle: Bundle, *, threads: int, error_percent: float) -> None:
        """Use :meth:`open`, which also runs the self-tests. Raises :class:`BundleError`."""
        self.labels: tuple[str, ...] = bundle.manifest.labels
        self.digest = bundle.digest
        self._parameters = parameters = head_parameters_of(bundle)
        self.model = parameters.base_model
        count = len(self.labels)
        self._lexical: NDArray[np.float16] = bundle.array(parameters.lexical_weights)
        self._biases: NDArray[np.float32] = bundle.array(parameters.lexical_biases)
        scores = bundle.array(parameters.conformal_scores)
        if self._lexical.shape != (2, parameters.buckets, count) or self._biases.shape != (count,) or count < 2:
            raise BundleError(
                bundle.folder, f"has arrays that do not fit {count} labels", file=MANIFEST, mend=MAKE_AGAIN
            )
        if not (_numbers(self._lexical) and _numbers(self._biases)):
            raise BundleError(bundle.folder, "has weights that are no numbers", file=MANIFEST, mend=MAKE_AGAIN)
        if len({*self.labels}) < count:
            raise BundleError(bundle.folder, "has a label twice", file=MANIFEST, mend=MAKE_AGAIN)
        if not _rising_probabilities(scores):
            raise BundleError(
                bundle.folder, "are no probabilities in rising order", file=parameters.conformal_scores, mend=MAKE_AGAIN
            )
        self._threshold = conformal_threshold(scores, error_percent)
        self._encoder = Encoder.of(bundle, parameters.encoder, threads=threads)
        if LOGITS not in self._encoder.outputs:
            raise BundleError(
                bundle.folder, f"has no output {LOGITS!r}", file=parameters.encoder.model, mend=MAKE_AGAIN
            )
        self._examples: Examples | None = None

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        """One verdict for each text; blocks."""
        return [
            LearnedVerdict(tuple(row.tolist()), conformal_set(row, self.labels, self._threshold))
            for row in self.probabilities(texts)
        ]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Calibrated, texts x labels."""
        if not texts:
            return np.zeros((0, len(self.labels)))
        parameters = self._parameters
        trained = combined(
            self._encoder.run(texts, (LOGITS,))[LOGITS].astype(np.float64),
            self.lexical_scores(texts),
            lexical_weight=parameters.lexical_weight,
            temperature=parameters.temperature,
        )
        return trained if self._examples is None else self._examples.applied(texts, trained)

    def lexical_scores(self, texts: Sequence[str]) -> Floats:
        """Of the n-grams alone, texts x labels, not normalised."""
        return lexical_scores(texts, self._lexical, self._biases)

    def _self_test(self, text: str) -> tuple[str, tuple[float, ...]]:
        row = self.probabilities([text])[0]
        return self.labels[int(row.argmax())], tuple(row.tolist())


def _rising_probabilities(scores: NDArray[Any]) -> bool:
    """Else sets would be too small or too large, and nobody would notice."""
    return (
        scores.ndim == 1
        and _numbers(scores)
        and bool(((scores >= 0) & (scores <= 1)).all() and (np.diff(scores) >= 0).all())
    )


def _numbers(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "f" and bool(np.isfinite(array).all())


def lexical_scores(texts: Sequence[str], folded: NDArray[np.float16], biases: NDArray[np.float32]) -> Floats:
    """Scores of n-grams, texts x labels: ``folded`` is 2 x buckets x labels."""
    rows = np.empty((len(texts), len(biases)))
    for number, text in enumerate(texts):
        row = biases.astype(np.float64)
        for half, counts in enumerate(ngrams(text)):
            if counts:
                terms = weights(counts)
                places = np.fromiter(terms.keys(), np.int64, len(terms))
                values = np.fromiter(terms.values(), np.float64, len(terms))
                row = row + values @ folded[half][places].astype(np.float64)
        rows[number] = row
    return rows
