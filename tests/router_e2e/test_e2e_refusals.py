"""Answers that are no success and no fault of the provider's: waits it asks for, refusals, and fallbacks by cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from fairlead_contract.fragments import CircuitBreaker, Retries
from tests.router_e2e.fake_upstream import FakeUpstream, Script
from tests.router_e2e.harness import attempts, serving
from tests.router_e2e.scripts import fails, says, streams
from tests.router_e2e.world import fallback, model, policy, provider


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


WAITS = [
    ("seconds", {"retry_after": "30"}, 30),
    ("a fraction of a second", {"retry_after": "29.5"}, 29.5),
    ("an HTTP date", {"retry_after": "DATE"}, 30),
    ("milliseconds", {"retry_after_ms": "30000"}, 30),
    ("milliseconds as Azure sends them", {"x_ms_retry_after_ms": "30000"}, 30),
    ("milliseconds win", {"retry_after": "99", "retry_after_ms": "30000"}, 30),
    ("nonsense in milliseconds leaves the other", {"retry_after": "30", "retry_after_ms": "soon"}, 30),
]


@pytest.mark.parametrize(("headers", "seconds"), [case[1:] for case in WAITS], ids=[case[0] for case in WAITS])
async def test_a_rate_limit_sends_the_request_on_at_once_and_leaves_the_provider_alone(
    upstream: FakeUpstream, other: FakeUpstream, headers: dict[str, str], seconds: float
) -> None:
    upstream.default = fails(
        429, **{name: in_seconds(30) if text == "DATE" else text for name, text in headers.items()}
    )
    chosen = policy("acme/small", "zenith/small", retries=Retries(attempts=3))
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        first = await router.record(await router.chat())
        assert attempts(first) == [("acme/small", "RateLimited", "rate_limited"), ("zenith/small", "Succeeded", None)]
        assert first["attempts"][0]["retryAfterSeconds"] == pytest.approx(seconds, abs=2)
        second = await router.record(await router.chat())
        assert attempts(second) == [("zenith/small", "Succeeded", None)]
        assert len(upstream.received) == 1
        assert [each["removed"]["by"] for each in second["candidates"] if "removed" in each] == ["CircuitBreaker"]


@pytest.mark.parametrize("text", ["soon", "-5", "inf", "nan", "Wed, 99 Foo", "1e999", ""])
async def test_a_wait_that_makes_no_sense_is_no_wait(upstream: FakeUpstream, text: str) -> None:
    upstream.plays(fails(429, retry_after=text))
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=1))) as router:
        reply = await router.chat()
        assert reply.status == 200
        assert "retryAfterSeconds" not in (await router.record(reply))["attempts"][0]


async def test_a_rate_limit_falls_back_at_once_too(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.default = fails(429, retry_after="30")
    chosen = policy("acme/small", fallbacks=(fallback("zenith/small", "RateLimited"),), retries=Retries(attempts=3))
    async with serving(provider(upstream.url), provider(other.url, "zenith"), chosen) as router:
        reply = await router.chat()
        assert attempts(await router.record(reply)) == [
            ("acme/small", "RateLimited", "rate_limited"),
            ("zenith/small", "Succeeded", None),
        ]


@pytest.mark.parametrize("asked", ["auto", "small"], ids=["by a policy", "by name"])
async def test_a_wait_too_long_for_the_client_is_passed_on_to_it(upstream: FakeUpstream, asked: str) -> None:
    upstream.default = fails(429, retry_after="3600")
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=3))) as router:
        reply = await router.chat(asked)
        assert (reply.status, reply.error_code) == (429, "upstream_rate_limited")
        assert reply.headers["retry-after"] == "3600"


async def test_a_short_wait_is_waited_for_when_there_is_nobody_else(upstream: FakeUpstream) -> None:
    upstream.plays(fails(429, retry_after_ms="20"))
    async with serving(provider(upstream.url), policy("acme/small", retries=Retries(attempts=1))) as router:
        reply = await router.chat()
        assert (reply.status, len(upstream.received)) == (200, 2)


async def test_a_rate_limit_is_no_failure_to_the_breaker(upstream: FakeUpstream) -> None:
    upstream.default = fails(429)
    touchy = provider(upstream.url, circuit_breaker=CircuitBreaker(consecutive_failures=1))
    async with serving(touchy, policy("acme/small")) as router:
        for _ in range(3):
            assert (await router.chat()).status == 429
        assert router.breaker("acme/small") == "Closed"


REFUSED: list[tuple[str, Script, int]] = [
    ("400", fails(400, "bad_thing"), 400),
    ("400 with a type only", fails(400, type_="invalid_request_error"), 400),
    ("413", fails(413, "too_big"), 413),
    ("422", fails(422, "unprocessable"), 422),
    ("context length", fails(400, "context_length_exceeded"), 400),
    ("content filter", fails(400, "content_filter"), 400),
]


@pytest.mark.parametrize(("script", "status"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_refusal_of_the_request_goes_to_the_client_as_it_is(
    upstream: FakeUpstream, other: FakeUpstream, stream: bool, script: Script, status: int
) -> None:
    upstream.default = script
    touchy = provider(upstream.url, circuit_breaker=CircuitBreaker(consecutive_failures=1))
    chosen = policy("acme/small", "zenith/small", retries=Retries(attempts=3))
    async with serving(touchy, provider(other.url, "zenith"), chosen) as router:
        reply = await router.chat(stream=stream)
        assert reply.status == status
        assert reply.body == script[0].partition(b"\r\n\r\n")[2]  # type: ignore[union-attr]
        assert (len(upstream.received), len(other.received)) == (1, 0)
        record = await router.record(reply)
        assert (record["outcome"], record["status"], record["error"]) == ("Refused", status, "request_refused")
        assert router.breaker("acme/small") == "Closed"


async def test_a_request_too_long_for_one_model_goes_to_a_target_with_a_larger_window(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.default = fails(400, "context_length_exceeded")
    models = {"small": 4000, "same": 4000, "unknown": None}
    here = provider(
        upstream.url, models=tuple(model(name, context_window_tokens=size) for name, size in models.items())
    )
    there = provider(other.url, "zenith", models=(model("large", context_window_tokens=8000),))
    chosen = policy("acme/small", "acme/same", "acme/unknown", "zenith/large", strategy="Priority")
    async with serving(here, there, chosen) as router:
        record = await router.record(await router.chat())
        assert attempts(record) == [
            ("acme/small", "Refused", "context_length_exceeded"),
            ("zenith/large", "Succeeded", None),
        ]


async def test_a_refusal_that_is_no_error_object_is_put_into_openais_shape(upstream: FakeUpstream) -> None:
    upstream.default = says(400, b"<html>no</html>", "text/html")
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code) == (400, "invalid_request")


BY_CAUSE: list[tuple[str, Script, str]] = [
    ("context length", fails(400, "context_length_exceeded"), "ContextWindow"),
    ("content filter", fails(400, "content_filter"), "ContentPolicy"),
    ("content policy", fails(400, "content_policy_violation"), "ContentPolicy"),
    ("server error", fails(500), "Error"),
    ("refused credential", fails(401), "Error"),
    ("rate limit", fails(429), "RateLimited"),
    ("timeout", fails(408), "Timeout"),
]


@pytest.mark.parametrize(("script", "cause"), [case[1:] for case in BY_CAUSE], ids=[case[0] for case in BY_CAUSE])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_each_cause_opens_its_own_fallback(
    upstream: FakeUpstream, other: FakeUpstream, stream: bool, script: Script, cause: str
) -> None:
    causes = ["Error", "Timeout", "RateLimited", "ContextWindow", "ContentPolicy"]
    if stream:
        other.default = streams()
    upstream.default = script
    one, two = provider(upstream.url), provider(other.url, "zenith", models=causes)
    chosen = policy("acme/small", fallbacks=tuple(fallback(f"zenith/{each}", each) for each in causes))
    async with serving(one, two, chosen) as router:
        record = await router.record(await router.chat(stream=stream))
        assert [each[0] for each in attempts(record)] == ["acme/small", f"zenith/{cause}"]
        assert record["attempts"][0]["cause"] == cause
        assert record["outcome"] == "Succeeded"


async def test_fallbacks_follow_one_another_by_the_cause_of_the_last_failure(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    upstream.plays(fails(400, "context_length_exceeded"))
    other.plays(fails(500), fails(429))
    one, two = provider(upstream.url), provider(other.url, "zenith", models=["long", "spare", "last"])
    chosen = policy(
        "acme/small",
        fallbacks=(
            fallback("zenith/last", "RateLimited"),
            fallback("zenith/spare", "Error"),
            fallback("zenith/long", "ContextWindow"),
        ),
    )
    async with serving(one, two, chosen) as router:
        record = await router.record(await router.chat())
        assert [each[0] for each in attempts(record)] == ["acme/small", "zenith/long", "zenith/spare", "zenith/last"]


async def test_targets_come_in_their_fallback_order(upstream: FakeUpstream, other: FakeUpstream) -> None:
    upstream.default = fails(500)
    one, two = provider(upstream.url, models=["c", "a", "b"]), provider(other.url, "zenith")
    async with serving(one, two, policy("acme/c", "acme/a", "acme/b", "zenith/small")) as router:
        record = await router.record(await router.chat())
        assert [each[0] for each in attempts(record)] == ["acme/c", "acme/a", "acme/b", "zenith/small"]


async def test_a_request_too_long_for_every_target_takes_the_fallback_for_that(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    tiny = provider(upstream.url, models=[model(context_window_tokens=10)])
    chosen = policy("acme/small", fallbacks=(fallback("zenith/small", "ContextWindow"),))
    long = [{"role": "user", "content": "x" * 1000}]
    async with serving(tiny, provider(other.url, "zenith"), chosen) as router:
        record = await router.record(await router.chat(messages=long))
        assert [each[0] for each in attempts(record)] == ["zenith/small"]
        reply = await router.chat("acme/small", messages=long)
        assert (reply.status, reply.error_code) == (400, "context_length_exceeded")
        assert upstream.received == []
