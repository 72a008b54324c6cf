"""The encoder that serves: verified files in, vectors out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import MAKE_AGAIN, BundleError
from fairlead_learning.bundles.manifest import BundleKind
from fairlead_learning.bundles.verify import check_self_tests
from fairlead_learning.encoder.parameters import EncoderParameters, parameters_of
from fairlead_learning.encoder.session import open_session
from fairlead_learning.encoder.tokens import Tokens

EMBEDDING = "embedding"
_TOKENS_AT_ONCE = 512
"""In one run of the graph: more brings no more speed, and memory grows with it."""

Floats = NDArray[np.float32]


class Encoder:
    """Texts to vectors. Calls block; any number of threads may call at once.

    A vector is the same in whatever company its text is encoded: the graph scales every token's row by itself, and only
    texts of equal length share a run, so that nothing is padded. (What is left, below 1e-6, is the order of additions.)
    """

    @classmethod
    def open(cls, folder: Path, *, threads: int = 1) -> Encoder:
        """Load a bundle of kind ``Encoder``; it must pass its self-tests. A quarter second. Raises :class:`BundleError`."""
        bundle = Bundle.open(folder, BundleKind.ENCODER)
        encoder = cls.of(bundle, parameters_of(bundle), threads=threads)
        check_self_tests(bundle, lambda text: (None, tuple(encoder.encode([text])[0].tolist())))
        return encoder

    @classmethod
    def of(cls, bundle: Bundle, parameters: EncoderParameters, *, threads: int = 1) -> Encoder:
        """The encoder among the files of a bundle of any kind. Raises :class:`BundleError`."""
        tokenizer, model = bundle.read(parameters.tokenizer), bundle.read(parameters.model)
        try:
            tokens = Tokens(tokenizer.decode(), parameters)
        except Exception as error:  # tokenizers raises nothing narrower
            raise BundleError(
                bundle.folder, f"is no tokenizer: {error}", file=parameters.tokenizer, mend=MAKE_AGAIN
            ) from error
        try:
            return cls(tokens, model, parameters, digest=bundle.digest, threads=threads)
        except Exception as error:  # ONNX Runtime's errors have no common class but this one
            raise BundleError(
                bundle.folder,
                f"ONNX Runtime cannot load the graph: {error}",
                file=parameters.model,
                mend="install the version of onnxruntime that requirements/run.txt pins, or make the bundle again",
            ) from error

    def __init__(
        self, tokens: Tokens, model: bytes, parameters: EncoderParameters, *, digest: str, threads: int
    ) -> None:
        """Use :meth:`open` or :meth:`of`, which check what is given here."""
        self._tokens = tokens
        self._session = open_session(model, threads)
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())
        """Names of what :meth:`run` gives: ``embedding``, and the heads that were exported with it."""
        self.dimensions = parameters.dimensions
        self.digest = digest
        """Of the bundle."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, texts x dimensions."""
        return self.run(texts, (EMBEDDING,))[EMBEDDING]

    def run(self, texts: Sequence[str], outputs: Sequence[str] | None = None) -> dict[str, Floats]:
        """The named outputs of the graph, or all: a row for each text."""
        names = list(self.outputs if outputs is None else outputs)
        rows = [self._tokens.of(text) for text in texts]
        parts: list[list[Floats]] = []
        order: list[int] = []
        for batch in batches([len(row) for row in rows]):
            order += batch
            parts.append(self._session.run(names, {"input_ids": np.array([rows[index] for index in batch], np.int64)}))
        if not parts:
            # Shapes are the graph's business; of no texts, only the embedding's width is known here.
            return {name: np.zeros((0, self.dimensions if name == EMBEDDING else 0), np.float32) for name in names}
        places = np.argsort(np.array(order))
        return {
            name: np.concatenate([part[number] for part in parts])[places].astype(np.float32, copy=False)
            for number, name in enumerate(names)
        }


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts that are run together: of equal length, the shortest first, at most 512 tokens at once."""
    by_length = sorted(range(len(lengths)), key=lambda index: lengths[index])
    for length, same in groupby(by_length, key=lambda index: lengths[index]):
        indices = list(same)
        at_once = max(1, _TOKENS_AT_ONCE // max(1, length))
        for start in range(0, len(indices), at_once):
            yield indices[start : start + at_once]
