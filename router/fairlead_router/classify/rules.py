"""The rules' part, and the conclusion from both parts: what happens on the event loop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from fairlead_contract.decision import Classification, ClassificationFallback
from fairlead_learning.hybrid import Thresholds, conclude, decided_by_rules
from fairlead_learning.rules import Rulebook, RuleVerdict, judge
from fairlead_learning.text.surface import SurfaceFeatures, surface
from fairlead_learning.verdict import LearnedVerdict

THRESHOLDS = Thresholds()


class RulesRefused(ValueError):
    """A file of rules that cannot be used: says why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A rulebook, and which one it is."""

    book: Rulebook
    digest: bytes
    """Of the file that extends the default rules; empty without one."""


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What the rules make of a text."""

    text: str = field(repr=False)
    """Not shown: asyncio logs what a callback that failed was given."""
    surface: SurfaceFeatures
    verdict: RuleVerdict

    @property
    def sure(self) -> bool:
        """Whether nobody else need be asked."""
        return decided_by_rules(self.verdict, THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the learned classifier said, and which one."""

    verdict: LearnedVerdict
    labels: tuple[str, ...]
    digest: str
    kept: bool = False
    """It was said of an earlier request with the same text."""


def open_rules(file: Path | None) -> Rules:
    """The default rules, extended by ``file`` (JSON). Blocks. Raises :class:`RulesRefused`."""
    if file is None:
        return Rules(Rulebook.default(), b"")
    try:
        data = file.read_bytes()
        return Rules(Rulebook.extended(msgspec.json.decode(data)), hashlib.sha256(data).digest())
    except OSError as error:
        raise RulesRefused(f"{file} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RulesRefused(f"{file} is not JSON, which alone is read here: {error}") from error
    except ValueError as error:
        raise RulesRefused(f"{file}: {error}") from error


def look(rules: Rules, text: str) -> FirstLook:
    """Judge ``text`` by the rules."""
    seen = surface(text)
    return FirstLook(text, seen, judge(rules.book, text, seen))


def settle(seen: FirstLook, learnt: Learnt | None, fallback: ClassificationFallback | None) -> Classification:
    """The classification, but for the time that it took."""
    return conclude(
        seen.text,
        seen.surface,
        seen.verdict,
        None if learnt is None else learnt.verdict,
        labels=() if learnt is None else learnt.labels,
        bundle_digest=None if learnt is None else learnt.digest,
        cached=learnt is not None and learnt.kept,
        fallback=fallback,
        thresholds=THRESHOLDS,
    )
