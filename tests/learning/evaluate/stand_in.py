"""A learned head that says what it is told to, and rules that know one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead_learning.rules import Rulebook
from fairlead_learning.rules.rule import Rule
from fairlead_learning.rules.rulebook import compiled
from fairlead_learning.verdict import LearnedVerdict

RULES: Rulebook = compiled(
    [Rule(name="coding.function", category="coding", score=0.95, phrases=("python function",))],
    (),
    {"coding": 1.0, "math": 1.0, "chat": 1.0},
)
"""They are sure of texts with two words, and know nothing of others."""


class Told:
    """Knows the probabilities of some texts; a ``Learned``."""

    labels = ("coding", "math", "chat")
    digest = "d" * 64

    def __init__(self, known: Mapping[str, tuple[float, ...]]) -> None:
        self._known = known

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        """Of each text; the conformal set has what reaches 0.3."""
        found = []
        for text in texts:
            chances = self._known[text]
            ranked = sorted(zip(chances, self.labels, strict=True), reverse=True)
            found.append(LearnedVerdict(chances, tuple(label for chance, label in ranked if chance >= 0.3)))
        return found
