"""Prices applied to tokens: exact, rounded up once, and never above the bound that was reserved."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.decision import Usage
from fairlead_contract.fragments import Price
from fairlead_router.account.cost import cost, price_at, upper_bound
from tests.router.builders import a_model

DOLLAR = 1_000_000
prices = st.builds(
    Price,
    effective_at=st.just(0),
    input=st.integers(0, 200 * DOLLAR),
    output=st.integers(0, 200 * DOLLAR),
    cached_input=st.none() | st.integers(0, 300 * DOLLAR),
    cache_write=st.none() | st.integers(0, 300 * DOLLAR),
    request=st.integers(0, DOLLAR),
)
tokens = st.integers(0, 2_000_000)
usages = st.builds(
    Usage, input_tokens=tokens, output_tokens=tokens, cached_input_tokens=tokens, cache_write_tokens=tokens
)


def _exact(price: Price, usage: Usage) -> Fraction:
    """In micro-dollars, without rounding."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    cached_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    parts = [
        (usage.input_tokens - cached - written, price.input),
        (cached, cached_price),
        (written, write_price),
        (usage.output_tokens, price.output),
    ]
    return sum((Fraction(count * each, DOLLAR) for count, each in parts), Fraction(price.request))


@given(prices, usages)
def test_a_cost_is_the_exact_price_rounded_up_once(price: Price, usage: Usage) -> None:
    assert cost(price, usage) == ceil(_exact(price, usage))


@pytest.mark.parametrize(
    ("price", "usage", "micro_usd"),
    [
        (Price(0, input=10 * DOLLAR, output=30 * DOLLAR), Usage(input_tokens=1000, output_tokens=100), 13_000),
        (Price(0, input=1), Usage(input_tokens=1), 1),
        (Price(0, input=1, output=1), Usage(input_tokens=1, output_tokens=1), 1),
        (Price(0, request=500), Usage(), 500),
        (Price(0, input=10 * DOLLAR, cached_input=DOLLAR), Usage(input_tokens=10, cached_input_tokens=10), 10),
        (Price(0, input=10 * DOLLAR, cached_input=0), Usage(input_tokens=10, cached_input_tokens=4), 60),
        (Price(0, input=10 * DOLLAR), Usage(input_tokens=10, cached_input_tokens=10), 100),
        (Price(0, input=10 * DOLLAR, cache_write=20 * DOLLAR), Usage(input_tokens=10, cache_write_tokens=5), 150),
        (Price(0, output=10 * DOLLAR), Usage(output_tokens=7, reasoning_tokens=5), 70),
        (Price(0, input=10 * DOLLAR, cached_input=0), Usage(input_tokens=3, cached_input_tokens=9), 0),
        (None, Usage(input_tokens=5, output_tokens=5), 0),
    ],
)
def test_cached_and_written_input_have_prices_of_their_own_and_default_to_that_of_input(
    price: Price | None, usage: Usage, micro_usd: int
) -> None:
    assert cost(price, usage) == micro_usd


@pytest.mark.parametrize(
    ("now", "input_price"), [(99, None), (100, 1), (100.5, 1), (199.999, 1), (200, 2), (10_000, 2)]
)
def test_the_newest_price_whose_time_has_come_applies(now: float, input_price: int | None) -> None:
    model = a_model(prices=(Price(200, input=2), Price(100, input=1)))
    price = price_at(model, now)
    assert (None if price is None else price.input) == input_price


def test_a_model_without_prices_has_none() -> None:
    assert price_at(a_model(), 1e12) is None


@given(
    prices,
    st.integers(0, 100_000),
    st.integers(1, 50_000),
    st.sampled_from(("request", "default", "model", "window")),
    st.integers(1, 128),
    st.data(),
)
def test_no_usage_within_the_bound_costs_more_than_the_bound(
    price: Price, body_bytes: int, longest: int, limited_by: str, choices: int, data: st.DataObject
) -> None:
    limits: dict[str, dict[str, Any]] = {
        "default": {"default_max_output_tokens": longest},
        "model": {"max_output_tokens": longest},
        "window": {"context_window_tokens": longest},
        "request": {},
    }
    bound = upper_bound(
        price,
        a_model(**limits[limited_by]),
        body_bytes=body_bytes,
        max_output_tokens=longest if limited_by == "request" else None,
        generations=choices,
    )
    most = longest * choices
    usage = data.draw(
        st.builds(
            Usage,
            input_tokens=st.just(body_bytes) | st.integers(0, body_bytes),
            output_tokens=st.just(most) | st.integers(0, most),
            cached_input_tokens=st.just(body_bytes) | tokens,
            cache_write_tokens=st.just(body_bytes) | tokens,
        )
    )
    assert cost(price, usage) <= bound


@pytest.mark.parametrize(
    ("asked", "model", "output_tokens"),
    [
        (5, {"default_max_output_tokens": 7, "max_output_tokens": 9}, 5),
        (None, {"default_max_output_tokens": 7, "max_output_tokens": 9}, 7),
        (None, {"max_output_tokens": 9, "context_window_tokens": 11}, 9),
        (None, {"context_window_tokens": 11}, 11),
        (None, {}, 0),
    ],
)
def test_the_output_is_bounded_by_the_request_else_by_what_the_model_declares(
    asked: int | None, model: dict[str, Any], output_tokens: int
) -> None:
    price = Price(0, output=DOLLAR)
    assert upper_bound(price, a_model(**model), body_bytes=0, max_output_tokens=asked, generations=1) == output_tokens


def test_a_model_without_a_price_reserves_nothing() -> None:
    assert upper_bound(None, a_model(), body_bytes=1000, max_output_tokens=1000, generations=1) == 0
