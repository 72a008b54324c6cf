"""A selection told as a recommendation: whom a request would go to first, who comes next, and who is out and why. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from fairlead_contract.decision import Candidate, Classification
from fairlead_router.config.table import ModelEntry
from fairlead_router.dispatch.course import opening_causes
from fairlead_router.select.selection import Selection

_MICRO = 1_000_000


class About(msgspec.Struct, frozen=True):
    """What a request is about, in the words of the classification document."""

    category: str
    difficulty: str
    confidence: float
    ms: float

    @classmethod
    def of(cls, said: Classification) -> About:
        """``said`` in these words."""
        return cls(said.category, said.difficulty.lower(), round(said.confidence, 4), said.microseconds / 1000)


class Named(msgspec.Struct, frozen=True):
    """A model."""

    id: str
    """By which the caller may call it."""
    provider: str
    display_name: str

    @classmethod
    def of(cls, entry: ModelEntry, name_of: Callable[[ModelEntry], str]) -> Named:
        """``entry`` by the name that the caller has for it."""
        return cls(name_of(entry), entry.ref.provider, entry.model.display_name or entry.model.name)

    @classmethod
    def by_key(cls, key: str, models: Mapping[str, ModelEntry], name_of: Callable[[ModelEntry], str]) -> Named:
        """The model of that ``key``, which may be none of ``models``, or not any more."""
        entry = models.get(key)
        if entry is not None:
            return cls.of(entry, name_of)
        _, provider, name = key.split("/", 2)
        return cls(key, provider, name)


class Removed(msgspec.Struct, frozen=True):
    """Why a model cannot serve the request."""

    by: str
    message: str


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One model among the candidates."""

    rank: int | None
    """From 1, in the order in which they would be tried; ``None``: it is out, or stands by for a failure."""
    id: str
    provider: str
    display_name: str
    probability: float
    """With which a request like this one is sent to it first."""
    roles: tuple[str, ...]
    """``target``, ``canary`` or ``fallback``."""
    expected_ms: float | None
    """What a strategy that looks at latency expects."""
    expected_cost_usd: float | None
    """What a strategy that looks at cost expects."""
    removed: Removed | None


def first_choice(selection: Selection) -> ModelEntry | None:
    """Whom the request would go to; ``None``: there is nobody."""
    if selection.plan:
        return selection.plan[0]
    causes = opening_causes(selection)
    for fallback in selection.fallbacks:
        if causes & fallback.causes:
            return fallback.entry
    return None


def ranking(
    selection: Selection, models: Mapping[str, ModelEntry], name_of: Callable[[ModelEntry], str]
) -> tuple[Ranked, ...]:
    """Each model once: those of the plan in their order, then who stands by, then who is out."""
    by_model: dict[str, list[Candidate]] = {}
    for candidate in selection.candidates:
        by_model.setdefault(candidate.model, []).append(candidate)
    planned = {entry.key: place for place, entry in enumerate(selection.plan, start=1)}
    ranked = [_ranked(Named.by_key(key, models, name_of), group, planned.get(key)) for key, group in by_model.items()]
    return tuple(sorted(ranked, key=lambda each: (each.rank or len(by_model) + 1, each.removed is not None)))


def _ranked(named: Named, candidates: list[Candidate], place: int | None) -> Ranked:
    out = [each.removed for each in candidates if each.removed is not None]
    predicted = next((each.predicted for each in candidates if each.predicted is not None), None)
    latency = None if predicted is None else predicted.latency_microseconds
    cost = None if predicted is None else predicted.cost_micro_usd
    return Ranked(
        rank=place,
        id=named.id,
        provider=named.provider,
        display_name=named.display_name,
        probability=round(sum(each.probability for each in candidates if each.removed is None), 6),
        roles=tuple(dict.fromkeys(each.role.lower() for each in candidates)),
        expected_ms=None if latency is None else latency / 1000,
        expected_cost_usd=None if cost is None else cost / _MICRO,
        removed=Removed(out[0].by.value, out[0].message) if place is None and len(out) == len(candidates) else None,
    )
