"""Decimals are exact and instants are instants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fairlead_crds.kinds.common import json_name
from fairlead_crds.kinds.scalars import PATTERN_WORDS, USD, Instant, PercentString, Statistic, TokenUSD, epoch_seconds

INSTANT = TypeAdapter[datetime](Instant)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("0", 0),
        ("10", 10_000_000),
        ("0.05", 50_000),
        ("0.000001", 1),
        ("999999999.999999", 999_999_999_999_999),
        ("1.50", 1_500_000),
    ],
)
def test_dollars_become_micro_dollars(written: str, micros: int) -> None:
    assert USD(written).micros == micros


@given(st.integers(0, 999_999_999_999_999))
def test_every_micro_dollar_survives(micros: int) -> None:
    assert USD(f"{micros // 10**6}.{micros % 10**6:06d}").micros == micros


def test_dollars_per_token_become_prices_per_million_tokens() -> None:
    assert TokenUSD("0.00001").micros_per_million_tokens == 10_000_000
    assert TokenUSD("0.0000000005").micros_per_million_tokens == 500


def test_percentages_become_parts_per_million() -> None:
    assert PercentString("99.5").parts_per_million == 995_000
    assert PercentString("100").parts_per_million == 1_000_000


def test_statistics_may_be_negative() -> None:
    assert Statistic("-0.25").micros == -250_000


def test_more_decimals_than_asked_for_are_an_error_and_zeros_are_not() -> None:
    assert TokenUSD("0.100000000000").scaled(1) == 1
    with pytest.raises(ValueError, match="more than 6 decimals"):
        _ = TokenUSD("0.0000001").micros


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-04-09T00:00:00Z", 1_712_620_800),
        ("2024-04-09T02:00:00.999999999+02:00", 1_712_620_800),
        ("1969-12-31T23:59:59.5Z", -1),
    ],
)
def test_times_are_read_in_any_zone(written: str, seconds: int) -> None:
    assert epoch_seconds(INSTANT.validate_python(written)) == seconds


def test_a_time_that_yaml_already_read_is_accepted_if_it_knows_its_zone() -> None:
    assert INSTANT.validate_python(datetime(2024, 4, 9, tzinfo=UTC)) == datetime(2024, 4, 9, tzinfo=UTC)
    with pytest.raises(ValidationError):
        INSTANT.validate_python(datetime(2024, 4, 9))


@pytest.mark.parametrize(
    "written", ["2024-04-09", "2024-04-09T00:00:00", "2024-13-01T00:00:00Z", "2024-04-09t00:00:00z", "now", 0, None]
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(written)


@pytest.mark.parametrize(
    ("python", "json"),
    [
        ("input_usd_per_million_tokens", "inputUSDPerMillionTokens"),
        ("role_arn", "roleARN"),
        ("azure_openai", "azureOpenAI"),
        ("max_cost_usd", "maxCostUSD"),
        ("from_", "from"),
        ("public_key_secret_ref", "publicKeySecretRef"),
    ],
)
def test_names_outside_are_those_of_the_api(python: str, json: str) -> None:
    assert json_name(python) == json


def test_every_pattern_has_words_for_people() -> None:
    import fairlead_crds.kinds.scalars as scalars

    patterns = {value for name, value in vars(scalars).items() if name.isupper() and isinstance(value, str)}
    assert patterns == set(PATTERN_WORDS)
