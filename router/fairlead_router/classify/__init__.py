"""What a request is about, asked only when a policy that could still match needs to know.

In come a request and a deadline; out goes a ``fairlead_contract.decision.Classification``. No classifier is loaded yet:
conditions that need one are refused by the compiler, so nothing calls into this room.
"""

from __future__ import annotations

from typing import Protocol

from fairlead_contract.decision import Classification


class Classifier(Protocol):
    """Says what a text is about."""

    async def classify(self, text: str, *, deadline_seconds: float) -> Classification:
        """Never raises for any text; falls back to rules when the deadline passes."""
        ...
