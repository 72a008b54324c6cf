"""What an answer of each candidate is expected to cost and how long it is expected to take. Pure.

Looked at only by strategies and constraints that need it: a policy of weights pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fairlead_contract.decision import Facts, Prediction
from fairlead_router.account.cost import price_at
from fairlead_router.config.table import EndpointEntry, ModelEntry, TargetEntry
from fairlead_router.select.reader import Reader

_OUTPUT_TOKENS = 256
"""Taken for the length of an answer while nothing was measured of any candidate: all are compared by the same length."""

_PER_PRICE = 1_000_000


class Expected(msgspec.Struct, frozen=True):
    """Of one candidate; ``None``: unknown."""

    cost_micro_usd: int | None = None
    output_tokens: int | None = None
    latency_seconds: float | None = None

    def to_prediction(self) -> Prediction:
        """As the record keeps it."""
        seconds = self.latency_seconds
        return Prediction(
            cost_micro_usd=self.cost_micro_usd,
            output_tokens=self.output_tokens,
            latency_microseconds=None if seconds is None else round(seconds * 1_000_000),
        )


UNKNOWN = Expected()
Outlook = Mapping[str, Expected]
"""By target name."""


def expect_costs(targets: Iterable[TargetEntry], facts: Facts, reader: Reader) -> dict[str, Expected]:
    """What each would cost: its input at the price of now, and as long an answer as it gives on average.

    A model of which no answer was measured yet is taken to answer as long as the others do. The bound that the client
    or the model sets holds for all. A model without a price costs nobody knows what, which is not nothing.
    """
    entries = {target.name: target.entry for target in targets if target.entry is not None}
    means = {entry.key: reader.statistics.output_tokens(entry.key) for entry in entries.values()}
    measured = [mean for mean in means.values() if mean is not None]
    usual = sum(measured) / len(measured) if measured else float(_OUTPUT_TOKENS)
    return {name: _cost(entry, means[entry.key], usual, facts, reader.unix_seconds) for name, entry in entries.items()}


def _cost(entry: ModelEntry, mean: float | None, usual: float, facts: Facts, unix_seconds: float) -> Expected:
    model = entry.model
    bound = facts.max_output_tokens or model.default_max_output_tokens or model.max_output_tokens
    length = usual if mean is None else mean
    tokens = round(length if bound is None else min(length, bound)) * facts.generations
    price = price_at(model, unix_seconds)
    if price is None:
        return Expected(output_tokens=tokens)
    total = facts.estimated_input_tokens * price.input + tokens * price.output
    return Expected(cost_micro_usd=-(-total // _PER_PRICE) + price.request, output_tokens=tokens)


def expect_latencies(
    targets: Iterable[tuple[TargetEntry, Sequence[EndpointEntry]]], facts: Facts, reader: Reader
) -> dict[str, Expected]:
    """How long each would take at the best of the endpoints that it may be called at."""
    expected = {}
    for target, endpoints in targets:
        entry = target.entry
        if entry is None:
            continue
        known = [
            seconds
            for endpoint in reader.usable(entry, endpoints)
            if (
                seconds := reader.statistics.endpoint(entry.key, endpoint.name, reader.now).latency(stream=facts.stream)
            )
            is not None
        ]
        expected[target.name] = Expected(latency_seconds=min(known, default=None))
    return expected
