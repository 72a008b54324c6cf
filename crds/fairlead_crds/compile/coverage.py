"""Policies that can never match, because one consulted before them matches whatever they would.

Each policy is a bit; each condition value owns the set of policies that have it, as one integer. The policies that
cover a given one are then an intersection of a few integers instead of a walk over all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from fairlead_contract.fragments import HeaderMatch, Match, PolicyFragment
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Reason, Severity

_SETS: tuple[Callable[[Match], tuple[str, ...]], ...] = (
    attrgetter("models"),
    attrgetter("workspaces"),
    attrgetter("agent_types"),
    attrgetter("request_types"),
    attrgetter("categories"),
    attrgetter("difficulties"),
    attrgetter("languages"),
    lambda match: () if match.certainty is None else (match.certainty,),
    attrgetter("user_tiers"),
)


def shadowed(policies: Iterable[PolicyFragment]) -> list[tuple[PolicyFragment, PolicyFragment]]:
    """Pairs of a policy that never matches and the first consulted one that covers it."""
    ranked = sorted(policies, key=PolicyFragment.order)
    index = _Index(ranked)
    pairs = []
    for rank, policy in enumerate(ranked):
        covering = index.covering(policy) & ((1 << rank) - 1)
        if covering:
            pairs.append((policy, ranked[(covering & -covering).bit_length() - 1]))
    return pairs


def findings(policies: Iterable[PolicyFragment]) -> list[Finding]:
    """A warning for each policy that never matches."""
    return [
        Finding(
            *ObjectKey("RoutingPolicy", policy.namespace, policy.name),
            "spec.match",
            Severity.WARNING,
            Reason.SHADOWED,
            f"no request ever reaches this policy: RoutingPolicy {above.key} is consulted first and "
            "matches all that this one would; narrow its match, or raise this policy's priority",
        )
        for policy, above in shadowed(policies)
    ]


class _Index:
    def __init__(self, ranked: Sequence[PolicyFragment]) -> None:
        everyone = (1 << len(ranked)) - 1
        self._scope = _Scope(ranked)
        self._sets = [(_SetDimension([get(policy.match) for policy in ranked], everyone), get) for get in _SETS]
        self._minimum = _LowerBounds([policy.match.min_characters for policy in ranked])
        self._maximum = _LowerBounds([_negated(policy.match.max_characters) for policy in ranked])
        self._headers = _Headers([policy.match.headers for policy in ranked])

    def covering(self, policy: PolicyFragment) -> int:
        """Everyone, the policy included, whose scope and conditions follow from this one's."""
        match = policy.match
        mask = self._scope.covering(policy)
        for dimension, get in self._sets:
            mask &= dimension.covering(get(match))
        mask &= self._minimum.covering(match.min_characters)
        mask &= self._maximum.covering(_negated(match.max_characters))
        return mask & self._headers.covering(match.headers)


class _Scope:
    """Platform policies reach every workspace; a tenant's only what its own namespace owns."""

    def __init__(self, ranked: Sequence[PolicyFragment]) -> None:
        self._platform = 0
        self._tenants: defaultdict[str, int] = defaultdict(int)
        for rank, policy in enumerate(ranked):
            if policy.platform:
                self._platform |= 1 << rank
            else:
                self._tenants[policy.namespace] |= 1 << rank

    def covering(self, policy: PolicyFragment) -> int:
        return self._platform if policy.platform else self._platform | self._tenants[policy.namespace]


class _SetDimension:
    """One of several values; no value stands for all."""

    def __init__(self, columns: Sequence[tuple[str, ...]], everyone: int) -> None:
        having: defaultdict[str, int] = defaultdict(int)
        constrained = 0
        for rank, values in enumerate(columns):
            if values:
                bit = 1 << rank
                constrained |= bit
                for value in values:
                    having[value] |= bit
        self._having = having
        self._free = everyone & ~constrained
        self._known: dict[tuple[str, ...], int] = {(): self._free}

    def covering(self, values: tuple[str, ...]) -> int:
        mask = self._known.get(values)
        if mask is None:
            mask = self._having[values[0]]
            for value in values[1:]:
                mask &= self._having[value]
            mask = self._known[values] = mask | self._free
        return mask


class _LowerBounds:
    """At least so much; ``None`` stands for any amount."""

    def __init__(self, column: Sequence[int | None]) -> None:
        masks: defaultdict[int, int] = defaultdict(int)
        self._free = 0
        for rank, bound in enumerate(column):
            if bound is None:
                self._free |= 1 << rank
            else:
                masks[bound] |= 1 << rank
        self._bounds = sorted(masks)
        self._up_to: list[int] = []
        mask = self._free
        for bound in self._bounds:
            mask |= masks[bound]
            self._up_to.append(mask)

    def covering(self, bound: int | None) -> int:
        if bound is None:
            return self._free
        position = bisect_right(self._bounds, bound)
        return self._up_to[position - 1] if position else self._free


def _negated(bound: int | None) -> int | None:
    return None if bound is None else -bound


class _Headers:
    """Conditions on named headers, each of which must follow from one on the same header.

    A policy has at most one condition a header, so it covers if as many of its conditions follow as it has. How many
    follow is counted for all policies at once, in binary, one integer for each digit.
    """

    def __init__(self, columns: Sequence[tuple[HeaderMatch, ...]]) -> None:
        self._having: defaultdict[HeaderMatch, int] = defaultdict(int)
        self._with_count: defaultdict[int, int] = defaultdict(int)
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for rank, headers in enumerate(columns):
            self._with_count[len(headers)] |= 1 << rank
            for header in headers:
                self._having[header] |= 1 << rank
                if header.prefix is not None:
                    lengths[header.name].add(len(header.prefix))
        self._prefix_lengths = {name: sorted(found) for name, found in lengths.items()}

    def covering(self, headers: tuple[HeaderMatch, ...]) -> int:
        mask = self._with_count.get(0, 0)
        if not headers:
            return mask
        digits: list[int] = []
        for header in headers:
            carry = self._implied_by(header)
            for position, digit in enumerate(digits):
                digits[position], carry = digit ^ carry, digit & carry
            if carry:
                digits.append(carry)
        for count in range(1, len(headers) + 1):
            follow = self._with_count.get(count, 0)
            if count >> len(digits):
                break
            for position, digit in enumerate(digits):
                follow &= digit if count >> position & 1 else ~digit
            mask |= follow
        return mask

    def _implied_by(self, header: HeaderMatch) -> int:
        mask = self._having.get(header, 0)
        if header.present is not None:
            return mask
        mask |= self._having.get(HeaderMatch(header.name, present=True), 0)
        text = header.exact if header.exact is not None else header.prefix or ""
        for length in self._prefix_lengths.get(header.name, ()):
            if length > len(text):
                break
            mask |= self._having.get(HeaderMatch(header.name, prefix=text[:length]), 0)
        return mask
