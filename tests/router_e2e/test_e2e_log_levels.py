"""Levels of components changed while the router runs, and what dispatch then says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from tests.router_e2e.fake_upstream import HANG, RESET, FakeUpstream
from tests.router_e2e.harness import Harness, Reply, eventually, serving
from tests.router_e2e.scripts import answers, fails
from tests.router_e2e.world import fallback, policy, provider, timeouts

DISPATCH = "fairlead.dispatch"


@pytest.fixture(autouse=True)
def dispatch_is_quiet() -> Iterator[None]:
    logger = logging.getLogger(DISPATCH)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(before)


async def put(router: Harness, body: str) -> Reply:
    return await router.request("PUT", "/-/log-levels", data=body, admin=True)


async def test_dispatch_tells_of_failures_retries_and_fallbacks_once_it_is_asked_to(
    upstream: FakeUpstream, other: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    fragments = (
        provider(upstream.url),
        provider(other.url, "zenith"),
        policy("acme/small", fallbacks=(fallback("zenith/small", "Error"),)),
    )

    def said() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == DISPATCH]

    async with serving(*fragments) as router:
        upstream.plays(fails(500), fails(500))
        await router.chat()
        assert said() == []
        changed = await put(router, '{"fairlead.dispatch": {"level": "debug", "seconds": 300}}')
        assert changed.status == 200
        assert changed.json[DISPATCH]["level"] == "debug"
        assert 290 < changed.json[DISPATCH]["expiresInSeconds"] <= 300
        reply = await router.chat()
    failed, went_on = said()
    assert failed.getMessage() == "attempt 1 at endpoint main failed: server_error (status 500)"
    assert failed.__dict__["requestId"] == went_on.__dict__["requestId"] == reply.decision
    assert (failed.__dict__["modelId"], went_on.__dict__["modelId"]) == ("team/acme/small", "team/zenith/small")
    assert failed.__dict__["latency"] >= 0
    assert went_on.getMessage() == "going on to this model after server_error"
    assert not logging.getLogger(DISPATCH).isEnabledFor(logging.DEBUG), "a level for a while ends with the router"


async def test_at_info_a_request_leaves_no_line_but_its_access_line_however_it_fails(
    upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fragments = provider(upstream.url), policy("acme/small", timeouts=timeouts(total=1, first_byte=1))
    async with serving(*fragments) as router:
        await router.chat()
        caplog.clear()
        for script in (answers(), fails(500), fails(429), fails(400, "bad"), [RESET], [HANG]):
            upstream.plays(script)
            await router.chat()
            upstream.plays(script)
            await router.chat(stream=True)
        await router.post(b"no JSON")
        await router.chat("none")
        await router.idle()
        assert [record for record in caplog.records if record.name.startswith("fairlead")] == []


async def test_a_level_expires_by_itself(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), log_level="info,fairlead.dispatch=info") as router:
        await put(router, '{"fairlead.dispatch": {"level": "debug", "seconds": 0.05}}')

        async def quiet() -> bool:
            shown = (await router.request("GET", "/-/log-levels", admin=True)).json
            return bool(shown[DISPATCH]["level"] == "info")

        await eventually(quiet, "the level has expired")


@pytest.mark.parametrize("body", ["", "debug", "{}", '{"fairlead.dispatch": "loud"}', '{"x": "debug"}', "x" * 20_000])
async def test_what_cannot_be_set_is_400_and_says_what_is_allowed(upstream: FakeUpstream, body: str) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await put(router, body)
        assert (reply.status, reply.error_code) == (400, "invalid_log_levels")
        message = reply.json["error"]["message"]
        assert "debug, info, warning" in message or "at most" in message or "larger" in message
        assert (await router.request("GET", "/-/log-levels")).status == 404, "not on the client port"


async def test_a_retry_says_how_long_it_waits(upstream: FakeUpstream, caplog: pytest.LogCaptureFixture) -> None:
    from fairlead_contract.fragments import Retries

    upstream.plays(fails(500), answers())
    chosen = policy("acme/small", retries=Retries(attempts=1, retry_on=("ServerError",)))
    async with serving(provider(upstream.url), chosen) as router:
        await put(router, json.dumps({DISPATCH: "debug"}))
        assert (await router.chat()).status == 200
        await put(router, json.dumps({DISPATCH: None}))
    said = [record.getMessage() for record in caplog.records if record.name == DISPATCH]
    assert len(said) == 2
    assert said[1].startswith("trying again in 0.")
