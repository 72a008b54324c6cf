"""Who may be how urgent, and how long it waits."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from fairlead_router.admit.priority import (
    Priority,
    granted,
    priority_in_body,
    sdk_patience,
    stated_patience,
    stated_priority,
)
from fairlead_router.errors import RouterError

LOW, NORMAL, HIGH = Priority


@pytest.mark.parametrize(
    ("stated", "ceiling", "expected"),
    [
        (None, HIGH, NORMAL),
        (None, NORMAL, NORMAL),
        (None, LOW, LOW),
        (HIGH, NORMAL, NORMAL),
        (HIGH, LOW, LOW),
        (HIGH, HIGH, HIGH),
        (LOW, HIGH, LOW),
        (NORMAL, LOW, LOW),
    ],
)
def test_a_client_may_lower_its_priority_and_raise_it_only_as_far_as_its_key_allows(
    stated: Priority | None, ceiling: Priority, expected: Priority
) -> None:
    assert granted(stated, ceiling) is expected


@pytest.mark.parametrize(("text", "priority"), [("high", HIGH), ("Normal", NORMAL), (" LOW ", LOW)])
def test_the_header_names_a_priority_in_any_case(text: str, priority: Priority) -> None:
    assert stated_priority(CIMultiDict({"X-Fairlead-Priority": text})) is priority


@pytest.mark.parametrize("text", ["", "urgent", "1", "high,low"])
def test_a_header_that_names_no_priority_is_refused(text: str) -> None:
    with pytest.raises(RouterError) as raised:
        stated_priority(CIMultiDict({"x-fairlead-priority": text}))
    assert (raised.value.status, raised.value.param) == (400, "x-fairlead-priority")


@pytest.mark.parametrize(
    ("body", "priority"),
    [
        (b'{"metadata": {"priority": "low"}}', LOW),
        (b'{"model": "m", "metadata": {"other": 1, "priority": "High"}}', HIGH),
        (b'{"metadata": {"priority": "p1"}}', None),
        (b'{"metadata": {"priority": 3}}', None),
        (b'{"metadata": "low"}', None),
        (b'{"metadata": null}', None),
        (b'{"priority": "low"}', None),
        (b"no JSON", None),
        (b'{"metadata": ' + b"[" * 100_000, None),
    ],
)
def test_the_metadata_of_a_body_may_name_a_priority_and_anything_else(body: bytes, priority: Priority | None) -> None:
    assert priority_in_body(body) is priority


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("1500", 1.5), (" 20 ", 0.02)])
def test_a_client_says_in_milliseconds_how_long_it_will_wait(text: str, seconds: float) -> None:
    assert stated_patience(CIMultiDict({"X-Fairlead-Queue-Timeout-Ms": text})) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "²", "9" * 400])
def test_a_wait_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RouterError) as raised:
        stated_patience(CIMultiDict({"x-fairlead-queue-timeout-ms": text}))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 10.0),
        ({"x-stainless-read-timeout": "2.5"}, 2.5),
        ({"x-stainless-timeout": "3"}, 3.0),
        ({"x-stainless-read-timeout": "600"}, 10.0),
        ({"x-stainless-read-timeout": "NOT_GIVEN"}, 10.0),
        ({"x-stainless-read-timeout": "-1"}, 10.0),
        ({"x-stainless-read-timeout": "nan"}, 10.0),
    ],
)
def test_nobody_waits_longer_than_its_sdk_will(headers: dict[str, str], seconds: float) -> None:
    assert sdk_patience(CIMultiDict(headers), 10.0) == seconds
