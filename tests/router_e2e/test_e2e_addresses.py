"""Where a provider may be: checked on the address that is connected to, whatever its name."""

from __future__ import annotations

import pytest

from fairlead_router.settings import networks
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import attempts, serving
from tests.router_e2e.scripts import fails, says
from tests.router_e2e.world import policy, provider


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1.2.3", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
async def test_an_address_of_the_router_itself_or_of_metadata_is_refused_without_a_connection(
    upstream: FakeUpstream, host: str
) -> None:
    there = provider(f"http://{host}:{upstream.port}/v1")
    async with serving(there, policy("acme/small"), allow_networks=()) as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code) == (502, "upstream_error")
        assert attempts(await router.record(reply)) == [("acme/small", "Failed", "address_refused")]
        assert upstream.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_allowed_network_may_be_called(upstream: FakeUpstream, host: str) -> None:
    async with serving(provider(f"http://{host}:{upstream.port}/v1"), policy("acme/small")) as router:
        assert (await router.chat()).status == 200


async def test_allowing_one_network_allows_no_other(upstream: FakeUpstream) -> None:
    there = provider(upstream.url)
    async with serving(there, policy("acme/small"), allow_networks=networks("127.9.0.0/16,169.254.0.0/16")) as router:
        reply = await router.chat()
        assert attempts(await router.record(reply)) == [("acme/small", "Failed", "address_refused")]


async def test_a_name_that_does_not_resolve_is_a_failed_connection(other: FakeUpstream) -> None:
    lost = provider("http://nowhere.invalid/v1")
    async with serving(lost, provider(other.url, "zenith"), policy("acme/small", "zenith/small")) as router:
        record = await router.record(await router.chat())
        assert attempts(record)[0] == ("acme/small", "Failed", "name_not_resolved")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(upstream: FakeUpstream, other: FakeUpstream, status: int) -> None:
    upstream.default = says(status, b"", location=f"{other.url}/chat/completions")
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        reply = await router.chat()
        assert reply.status == 502
        assert "location" not in reply.headers
        assert other.received == []


async def test_a_refused_address_reaches_no_clients_eyes_but_the_next_target_serves(other: FakeUpstream) -> None:
    fragments = (
        provider("http://169.254.169.254/v1"),
        provider(other.url, "zenith"),
        policy("acme/small", "zenith/small"),
    )
    async with serving(*fragments) as router:
        assert (await router.chat()).status == 200
        other.default = fails(500)
        assert b"169.254" not in (await router.chat()).body
