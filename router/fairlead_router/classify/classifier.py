"""The seam at which the pipeline meets whoever classifies."""

from __future__ import annotations

from typing import Protocol

from fairlead_contract.decision import Classification


class Classifier(Protocol):
    """Says what a text is about."""

    async def classify(self, text: str, *, deadline_seconds: float | None = None) -> Classification:
        """Never raises for any text; the rules decide when the deadline passes. ``None``: the deadline that is set."""
        ...
