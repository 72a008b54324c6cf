"""The index that finds a request's policy without walking over all of them.

Policies are numbered in the order in which they are consulted, and every dimension of a match maps a value to the set of
policies that accept it. Sets are integers used as bit masks, so a request costs one dictionary look-up and one ``&`` per
dimension; the lowest bit left is the policy that decides. Conditions on what the classifier says come in a second step,
which is taken only if the lowest bit left after the first has need of it. ``match.conditions`` states the same rules one
policy at a time; a property test holds the two together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from fairlead_contract.decision import Classification, Facts
from fairlead_contract.fragments import HeaderMatch, PolicyFragment

_STEP = 256
"""Policies whose conditions of one kind are taken in between two yields."""


def rank_of_first(policies: int) -> int | None:
    """Of a set of policies, the one consulted before the others; ``None`` of the empty set."""
    return (policies & -policies).bit_length() - 1 if policies else None


def certainty_of(classification: Classification) -> str:
    """In the words of ``match.certainty``."""
    return "Certain" if classification.certain else "Ambiguous"


def condition_text(condition: HeaderMatch) -> str:
    """The condition in words of the policy, as it stands in a record: never a value that a client sent."""
    if condition.exact is not None:
        return f"{condition.name} = {condition.exact}"
    if condition.prefix is not None:
        return f"{condition.name} ^= {condition.prefix}"
    return f"{condition.name} absent" if condition.present is False else f"{condition.name} present"


class _Values:
    """One dimension whose conditions are sets of accepted values."""

    __slots__ = ("_accepting", "_anything")

    def __init__(self) -> None:
        self._anything = 0
        self._accepting: dict[str, int] = {}

    def fill(self, conditions: Iterable[tuple[str, ...]]) -> Iterator[None]:
        """Take in the conditions of all policies, in the order of their ranks."""
        anything, accepting = 0, self._accepting
        for rank, values in enumerate(conditions):
            bit = 1 << rank
            if not values:
                anything |= bit
            for value in values:
                accepting[value] = accepting.get(value, 0) | bit
            if rank % _STEP == 0:
                yield
        for value in accepting:
            accepting[value] |= anything
        self._anything = anything

    def accepting(self, value: str | None) -> int:
        return self._anything if value is None else self._accepting.get(value, self._anything)


class _Lengths:
    """Content length: between two neighbouring bounds the set of accepting policies does not change."""

    __slots__ = ("_bounds", "_masks")

    def fill(self, policies: Sequence[PolicyFragment]) -> Iterator[None]:
        everyone = (1 << len(policies)) - 1
        changes: dict[int, tuple[int, int]] = {}
        initially = everyone
        for rank, policy in enumerate(policies):
            if rank % _STEP == 0:
                yield
            low, high = policy.match.min_characters, policy.match.max_characters
            if low is None and high is None:
                continue
            bit = 1 << rank
            if low is not None and low > 0:
                initially &= ~bit
                on, off = changes.get(low, (0, 0))
                changes[low] = (on | bit, off)
            if high is not None:
                on, off = changes.get(high + 1, (0, 0))
                changes[high + 1] = (on, off | bit)
        self._bounds = sorted(changes)
        self._masks = [initially]
        for bound in self._bounds:
            on, off = changes[bound]
            self._masks.append((self._masks[-1] | on) & ~off)

    def accepting(self, characters: int) -> int:
        return self._masks[bisect_right(self._bounds, characters)]


class _Header:
    """One header name: at most one condition of each policy is about it."""

    __slots__ = ("absent", "by_condition", "exact", "needing", "prefixes", "present")

    def __init__(self) -> None:
        self.needing = 0
        self.by_condition: dict[str, int] = {}
        self.exact: dict[str, str] = {}
        self.prefixes: dict[str, str] = {}
        self.present: str | None = None
        self.absent: str | None = None

    def add(self, condition: HeaderMatch, bit: int) -> None:
        text = condition_text(condition)
        self.needing |= bit
        self.by_condition[text] = self.by_condition.get(text, 0) | bit
        if condition.exact is not None:
            self.exact[condition.exact] = text
        elif condition.prefix is not None:
            self.prefixes[condition.prefix] = text
        elif condition.present is False:
            self.absent = text
        else:
            self.present = text

    def holding(self, value: str | None) -> list[str]:
        if value is None:
            return [] if self.absent is None else [self.absent]
        result = []
        if (text := self.exact.get(value)) is not None:
            result.append(text)
        if self.prefixes:
            lengths = {len(prefix) for prefix in self.prefixes if len(prefix) <= len(value)}
            result += [self.prefixes[value[:n]] for n in sorted(lengths) if value[:n] in self.prefixes]
        if self.present is not None:
            result.append(self.present)
        return result


class PolicyIndex:
    """Finds the policies that match a request. Built once per table from policies in their order."""

    __slots__ = (
        "_agents",
        "_categories",
        "_certainties",
        "_difficulties",
        "_headers",
        "_languages",
        "_lengths",
        "_models",
        "_owners",
        "_tiers",
        "_types",
        "_workspaces",
    )

    def __init__(self, policies: Sequence[PolicyFragment]) -> None:
        for _ in self._fill(policies):
            pass

    @classmethod
    def in_steps(cls, policies: Sequence[PolicyFragment]) -> Generator[None, None, PolicyIndex]:
        """The same index, a few hundred policies at a time, for a caller on the event loop."""
        index = cls.__new__(cls)
        yield from index._fill(policies)
        return index

    def _fill(self, policies: Sequence[PolicyFragment]) -> Iterator[None]:
        matches = [policy.match for policy in policies]
        self._models, self._owners, self._workspaces = _Values(), _Values(), _Values()
        self._agents, self._types, self._tiers = _Values(), _Values(), _Values()
        yield from self._models.fill(match.models for match in matches)
        yield from self._owners.fill(() if policy.platform else (policy.namespace,) for policy in policies)
        yield from self._workspaces.fill(match.workspaces for match in matches)
        yield from self._agents.fill(match.agent_types for match in matches)
        yield from self._types.fill(match.request_types for match in matches)
        yield from self._tiers.fill(match.user_tiers for match in matches)
        yield
        self._categories, self._difficulties = _Values(), _Values()
        self._languages, self._certainties = _Values(), _Values()
        yield from self._categories.fill(match.categories for match in matches)
        yield from self._difficulties.fill(match.difficulties for match in matches)
        yield from self._languages.fill(match.languages for match in matches)
        yield from self._certainties.fill(() if match.certainty is None else (match.certainty,) for match in matches)
        yield
        self._lengths = _Lengths()
        yield from self._lengths.fill(policies)
        yield
        self._headers: dict[str, _Header] = {}
        for rank, match in enumerate(matches):
            for condition in match.headers:
                header = self._headers.get(condition.name)
                if header is None:
                    header = self._headers[condition.name] = _Header()
                header.add(condition, 1 << rank)
            if rank % _STEP == 0:
                yield

    def parts(self) -> list[object]:
        """What it is made of, to be let go of piece by piece."""
        return [getattr(self, name) for name in self.__slots__]

    def header_conditions(self, headers: Mapping[str, str]) -> tuple[str, ...]:
        """Which header conditions of any policy hold; ``headers`` must find names whatever their case."""
        if not self._headers:
            return ()
        return tuple(text for name, header in self._headers.items() for text in header.holding(headers.get(name)))

    def matching(self, facts: Facts) -> int:
        """The set of all policies whose every condition holds, as a bit mask over ranks.

        Conditions on what the classifier says are left open: :meth:`narrowed` goes on from here.
        """
        mask = self._models.accepting(facts.requested_model)
        if not mask:
            return 0
        mask &= self._owners.accepting(facts.namespace)
        mask &= self._workspaces.accepting(facts.workspace)
        mask &= self._agents.accepting(facts.agent_type)
        mask &= self._types.accepting(facts.request_type)
        mask &= self._tiers.accepting(facts.user_tier)
        if not mask:
            return 0
        mask &= self._lengths.accepting(facts.content_length_characters)
        for header in self._headers.values():
            if mask & header.needing:
                holding = ~header.needing
                for text in facts.header_conditions:
                    holding |= header.by_condition.get(text, 0)
                mask &= holding
        return mask

    def narrowed(self, policies: int, classification: Classification) -> int:
        """Those of ``policies`` whose conditions on what the classifier says hold too."""
        policies &= self._categories.accepting(classification.category)
        policies &= self._difficulties.accepting(classification.difficulty)
        policies &= self._languages.accepting(classification.language)
        return policies & self._certainties.accepting(certainty_of(classification))
