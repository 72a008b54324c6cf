"""What the learned half of the classifier says of a text, and the shape of whoever says it. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

DEFAULT_ERROR_PERCENT = 5.0
"""Share of texts whose right category may be missing in the conformal set."""


@dataclass(frozen=True, slots=True)
class LearnedVerdict:
    """What the learned head says of one text."""

    probabilities: tuple[float, ...]
    """Calibrated; in the order of the classifier's labels; they sum to 1."""
    conformal_set: tuple[str, ...]
    """Labels that cannot be excluded at the error rate asked for, the most probable first."""


class Learned(Protocol):
    """A loaded classifier. Its methods block; one thread calls at a time."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Categories, in the order of a verdict's probabilities."""
        ...

    @property
    def digest(self) -> str:
        """Of the bundle."""
        ...

    @property
    def model(self) -> str:
        """Name of what the encoder was tuned from."""
        ...

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        """One verdict for each text; any text is good enough."""
        ...
