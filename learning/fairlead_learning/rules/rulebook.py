"""Rules made ready to judge texts: patterns compiled, phrases indexed, scores turned into weights."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import msgspec

from fairlead_learning.categories import CATEGORIES
from fairlead_learning.rules.phrases import PhraseIndex, phrase
from fairlead_learning.rules.rule import Rule, Where
from fairlead_learning.text.surface import SurfaceFeatures

_CAPITAL = re.compile(r"(?<!\\)[A-Z]")


class _RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Rule, ...] = ()
    leads: tuple[str, ...] = ()
    priors: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready."""

    name: str
    category: str
    weight: float
    """Added to the log-odds of the category."""
    where: Where
    followers: PhraseIndex | None
    within: int
    search: Callable[[str], re.Match[str] | None] | None
    needs: tuple[str, ...]
    surface: tuple[tuple[str, float, float], ...]

    def fits(self, surface: SurfaceFeatures) -> bool:
        """Whether every feature it names is within its bounds."""
        return all(low <= getattr(surface, name) <= high for name, low, high in self.surface)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Compiled rules and what goes with them. Make it with ``default`` or ``extended``; judging changes nothing in it."""

    sources: tuple[Rule, ...]
    """The rules as written, in the order of ``rules``."""
    rules: tuple[CompiledRule, ...]
    without_phrases: tuple[int, ...]
    """Positions in ``rules`` of those that every text must be tried for."""
    phrases: PhraseIndex
    leads: PhraseIndex
    lead_phrases: tuple[str, ...]
    priors: Mapping[str, float]
    """Probability of each category before anything speaks; they sum to 1."""
    log_priors: Mapping[str, float]
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts by category, from configuration, for whoever compares embeddings. Rules do not use them."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The known ones first, then those that configuration added."""
        return tuple(self.priors)

    @classmethod
    @cache
    def default(cls) -> Rulebook:
        """The rules that come with the package."""
        rules: list[Rule] = []
        leads: tuple[str, ...] = ()
        priors: dict[str, float] = {}
        folder = resources.files("fairlead_learning.rules") / "default"
        for category in ("common", *CATEGORIES):
            file = msgspec.json.decode((folder / f"{category}.json").read_bytes(), type=_RuleFile)
            rules += file.rules
            leads += file.leads
            priors |= file.priors
        return compiled(rules, leads, priors)

    @classmethod
    def extended(cls, configuration: object) -> Rulebook:
        """The default rules with a configuration's: plain data, as read from YAML or JSON, of the shape of ``Extension``.

        Raises:
            RulesInvalid: what is wrong, where, and how to mend it.
        """
        from fairlead_learning.rules.extension import extend  # which makes rulebooks

        return extend(cls.default(), configuration)


def compiled(
    sources: Iterable[Rule],
    leads: Iterable[str],
    priors: Mapping[str, float],
    examples: Mapping[str, tuple[str, ...]] | None = None,
) -> Rulebook:
    """The rulebook of rules that have been checked. Priors are masses of any sum."""
    sources = tuple(sources)
    lead_phrases = tuple(leads)
    total = sum(priors.values())
    shares = {category: mass / total for category, mass in priors.items()}
    return Rulebook(
        sources=sources,
        rules=tuple(_compiled(rule, shares[rule.category]) for rule in sources),
        without_phrases=tuple(number for number, rule in enumerate(sources) if not rule.phrases),
        phrases=PhraseIndex((phrase(text), number) for number, rule in enumerate(sources) for text in rule.phrases),
        leads=PhraseIndex((phrase(text), 0) for text in lead_phrases),
        lead_phrases=lead_phrases,
        priors=shares,
        log_priors={category: math.log(share) for category, share in shares.items()},
        examples=examples or {},
    )


def _compiled(rule: Rule, prior: float) -> CompiledRule:
    return CompiledRule(
        name=rule.name,
        category=rule.category,
        weight=log_odds(rule.score) - log_odds(prior),
        where=rule.where,
        followers=PhraseIndex((phrase(text), 0) for text in rule.followed_by) if rule.followed_by else None,
        within=rule.within,
        search=_search(rule.pattern) if rule.pattern is not None else None,
        needs=tuple(map(str.lower, rule.needs)),
        surface=tuple(
            (name, -math.inf if low is None else low, math.inf if high is None else high)
            for name, (low, high) in rule.surface.items()
        ),
    )


def _search(pattern: str) -> Callable[[str], re.Match[str] | None]:
    # Texts are searched in lower case. Ignoring it costs time, which the default patterns spare by having no capitals.
    case = re.IGNORECASE if _CAPITAL.search(pattern) else 0
    return re.compile(pattern, re.MULTILINE | case).search


def log_odds(probability: float) -> float:
    """ln(p / (1 - p))."""
    return math.log(probability / (1 - probability))
