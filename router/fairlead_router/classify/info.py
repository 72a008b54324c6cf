"""How the classifier stands, for whoever shows it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ClassifierState(StrEnum):
    """Who classifies what the rules are not sure of."""

    RULES_ONLY = "RulesOnly"
    """Nobody: it is set so."""
    NOT_LOADED = "NotLoaded"
    """Nobody yet: no policy needs it and nobody asked."""
    LOADING = "Loading"
    """Nobody yet: the bundle is being opened."""
    READY = "Ready"
    """The learned classifier of a bundle."""
    ABSENT = "Absent"
    """Nobody: there is no bundle that can be used."""
    REMOTE = "Remote"
    """Another process."""


class ClassifierInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What it would answer with."""

    state: ClassifierState
    categories: tuple[str, ...]
    bundle_digest: str | None = None
    """Of the learned classifier in force."""
    model: str | None = None
    """What its encoder was tuned from."""
    rule_threshold: float
    """Confidence above which the rules decide alone."""
    learned_threshold: float
    """Probability above which the learned classifier decides alone."""
    deadline_seconds: float
    waiting: int = 0
    """Texts in line for the learned classifier."""
