"""How long a provider asks to wait, in every form that is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead_router.dispatch.waits import asked_wait, duration_seconds, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "milliseconds", "seconds"),
    [
        (None, None, None),
        ("30", None, 30.0),
        (" 30 ", None, 30.0),
        ("1.5", None, 1.5),
        ("0", None, 0.0),
        (None, "1500", 1.5),
        ("30", "1500", 1.5),
        ("30", "soon", 30.0),
        ("30", "-1", 30.0),
        ("-1", None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("1e999", None, None),
        ("", None, None),
        ("soon", None, None),
        (None, "", None),
        (date(90), None, 90.0),
        (date(-90), None, 0.0),
        (date(90).replace("GMT", "-0000"), None, 90.0),
        (date(90).replace("GMT", "+0100"), None, 0.0),
        (date(90).replace("2026", "9" * 30), None, None),
        (date(90).replace("Mar", "Foo"), None, None),
    ],
)
def test_every_form_of_retry_after_is_read_and_garbage_is_none(
    header: str | None, milliseconds: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, milliseconds, now=NOW.timestamp()) == seconds


@example("Sun, 01 Mar 99999999999999999999 12:00:00 GMT")
@given(st.text("0123456789:,-+. GMTSunMar\xb2\u0663", max_size=40))
def test_whatever_a_provider_sends_the_wait_is_a_number_that_can_be_waited_or_none(text: str) -> None:
    for found in (retry_after_seconds(text, None, now=0.0), retry_after_seconds(None, text, now=0.0)):
        assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("20ms", 0.02),
        ("1m30s250ms", 90.25),
        ("8.64s", 8.64),
        ("59", 59.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("-1", None),
        ("soon", None),
        ("1s!", None),
        ("1d", None),
        ("s", None),
        ("", None),
        ("nan", None),
        ("1s" * 100, None),
        (None, None),
    ],
)
def test_a_reset_is_a_duration_or_whole_seconds(text: str | None, seconds: float | None) -> None:
    assert duration_seconds(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.text("0123456789hms.", max_size=60))
def test_whatever_stands_for_a_duration_is_a_number_that_can_be_waited_or_none(text: str) -> None:
    found = duration_seconds(text)
    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {}, None),
        (429, {"retry-after": "3", "retry-after-ms": "2500"}, 2.5),
        (429, {"x-ms-retry-after-ms": "800"}, 0.8),
        (429, {"retry-after": "3", "x-ratelimit-reset-requests": "6m0s"}, 3.0),
        (503, {"retry-after": "3"}, 3.0),
        (429, {"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        (429, {"x-ratelimit-reset-tokens": "59"}, 59.0),
        (429, {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1.0),
        (
            429,
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-remaining-tokens": "0",
            },
            360.0,
        ),
        (
            429,
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-remaining-tokens": "0",
            },
            2.0,
        ),
        # Azure sends these where it knows nothing.
        (429, {"x-ratelimit-reset-requests": "0", "x-ratelimit-remaining-requests": "-1"}, None),
        # They come with every answer and ask for nothing there.
        (500, {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, None),
    ],
)
def test_without_retry_after_a_429_waits_for_the_limit_that_is_used_up(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait(status, headers.get, now=NOW.timestamp()) == seconds
