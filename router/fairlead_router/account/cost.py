"""Prices applied to tokens. Everything is integer micro-dollars and rounds up, once per attempt."""

from __future__ import annotations

from fairlead_contract.decision import Usage
from fairlead_contract.fragments import Model, Price

_TOKENS_PER_PRICE = 1_000_000


def price_at(model: Model, now: float) -> Price | None:
    """The newest price whose time has come; ``None`` if the model has none yet."""
    for price in model.prices:
        if price.effective_at <= now:
            return price
    return None


def cost(price: Price | None, usage: Usage) -> int:
    """What ``usage`` costs. A model without a price costs nothing, which the compiler warns about."""
    if price is None:
        return 0
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    plain = usage.input_tokens - cached - written
    cached_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    total = plain * price.input + cached * cached_price + written * write_price + usage.output_tokens * price.output
    return -(-total // _TOKENS_PER_PRICE) + price.request


def upper_bound(
    price: Price | None, model: Model, *, body_bytes: int, max_output_tokens: int | None, generations: int
) -> int:
    """The most an attempt can cost: a token is at least one byte of input, and output ends at its limit.

    Without a limit in the request the model's own stands in, then its context window; with neither the bound covers the
    input alone, and what the answer costs beyond it is charged when it settles. So is what the provider fetches itself: an
    image or a file named by its URL may be more tokens than the URL has bytes.
    """
    if price is None:
        return 0
    output = (
        max_output_tokens
        or model.default_max_output_tokens
        or model.max_output_tokens
        or model.context_window_tokens
        or 0
    )
    dearest_input = max(price.input, price.cached_input or 0, price.cache_write or 0)
    total = body_bytes * dearest_input + output * generations * price.output
    return -(-total // _TOKENS_PER_PRICE) + price.request
