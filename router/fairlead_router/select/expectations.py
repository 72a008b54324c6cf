"""Hard limits on what a request may cost and how its model fares: by price, by bound and by what was measured.

As with all hard constraints, layers are intersected and nothing later relaxes them. What is not known excludes nobody: a
model that was never measured could never become known otherwise. The record says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fairlead_contract.decision import Facts, Removal, RemovedBy
from fairlead_contract.fragments import Constraints, Price
from fairlead_router.account.cost import price_at, upper_bound
from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.select.reader import Reader

_UNKNOWN = "unknown, so allowed"
_PER_UNIT = 1_000_000


class Limits(msgspec.Struct, frozen=True):
    """The tightest of all layers; ``None``: unlimited."""

    cost_micro_usd: int | None = None
    price: int | None = None
    latency_milliseconds: int | None = None
    success_ppm: int | None = None

    @classmethod
    def of(cls, layers: Iterable[Constraints]) -> Limits | None:
        """Intersect ``layers``; ``None`` if none of them limits anything."""
        every = [*layers]
        found = cls(
            min((each.max_cost_micro_usd for each in every if each.max_cost_micro_usd is not None), default=None),
            min((each.max_price for each in every if each.max_price is not None), default=None),
            min(
                (each.max_latency_milliseconds for each in every if each.max_latency_milliseconds is not None),
                default=None,
            ),
            max((each.min_success_ppm for each in every if each.min_success_ppm is not None), default=None),
        )
        return None if found == _UNLIMITED else found


_UNLIMITED = Limits()


def limited(
    entry: ModelEntry, allowed: Sequence[EndpointEntry], facts: Facts, limits: Limits, reader: Reader
) -> Removal | None:
    """Why ``entry`` does not keep within ``limits``, or ``None`` if it does as far as anybody knows."""
    return _by_price(entry, facts, limits, reader) or _by_measurement(entry, allowed, limits, reader)


def _by_price(entry: ModelEntry, facts: Facts, limits: Limits, reader: Reader) -> Removal | None:
    if limits.cost_micro_usd is None and limits.price is None:
        return None
    price = price_at(entry.model, reader.unix_seconds)
    if price is None:
        reader.note(f"price:{entry.key}", _UNKNOWN)
        return None
    if limits.price is not None and (dearest := max(price.input, price.output)) > limits.price:
        message = (
            f"a token costs up to ${_per_token(dearest)}, more than maxCostPerTokenUSD ${_per_token(limits.price)}"
        )
        return Removal(by=RemovedBy.COST, message=message)
    if limits.cost_micro_usd is None:
        return None
    bound = _bound(entry, facts, price)
    if bound > limits.cost_micro_usd:
        message = (
            f"the request may cost up to ${bound / _PER_UNIT:.6f}, more than maxCostUSD "
            f"${limits.cost_micro_usd / _PER_UNIT:.6f}"
        )
        return Removal(by=RemovedBy.COST, message=message)
    return None


def _bound(entry: ModelEntry, facts: Facts, price: Price) -> int:
    return upper_bound(
        price,
        entry.model,
        body_bytes=max(facts.body_bytes, facts.estimated_input_tokens),
        max_output_tokens=facts.max_output_tokens,
        generations=facts.generations,
    )


def _by_measurement(
    entry: ModelEntry, allowed: Sequence[EndpointEntry], limits: Limits, reader: Reader
) -> Removal | None:
    if limits.latency_milliseconds is None and limits.success_ppm is None:
        return None
    measured = [
        reader.statistics.endpoint(entry.key, endpoint.name, reader.now) for endpoint in reader.usable(entry, allowed)
    ]
    if limits.latency_milliseconds is not None:
        means = [each.mean_seconds for each in measured if each.mean_seconds is not None]
        if not means:
            reader.note(f"latency:{entry.key}", _UNKNOWN)
        elif (milliseconds := min(means) * 1000) > limits.latency_milliseconds:
            message = (
                f"its answers take {milliseconds:.0f} ms on average, longer than maxLatencyMilliseconds "
                f"{limits.latency_milliseconds}"
            )
            return Removal(by=RemovedBy.LATENCY, message=message)
    if limits.success_ppm is not None:
        shares = [each.success_ppm for each in measured if each.success_ppm is not None]
        if not shares:
            reader.note(f"success:{entry.key}", _UNKNOWN)
        elif max(shares) < limits.success_ppm:
            message = (
                f"{max(shares) / 10_000:.2f} % of its calls succeed, fewer than minSuccessPercent "
                f"{limits.success_ppm / 10_000:g}"
            )
            return Removal(by=RemovedBy.SUCCESS, message=message)
    return None


def _per_token(price: int) -> str:
    """A price in dollars per token, in full."""
    return f"{price / 1e12:.12f}".rstrip("0").rstrip(".")
