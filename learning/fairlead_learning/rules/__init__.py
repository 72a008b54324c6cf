"""The half of the classifier that needs no model: words, phrases, patterns and shapes, each with a score.

In come a compiled ``Rulebook`` and a text; out goes a ``RuleVerdict``. What the texts of the learned half look like, and
which half is believed, is decided elsewhere (``hybrid``).
"""

from fairlead_learning.rules.judge import RuleVerdict, judge
from fairlead_learning.rules.rulebook import Rulebook

__all__ = ["RuleVerdict", "Rulebook", "judge"]
