"""New snapshots under traffic, snapshots that are refused, and keys that are exchanged."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import AsyncExitStack

import msgspec
import pytest

from fairlead_contract.snapshot import Credentials, Sealed
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import eventually, serving
from tests.router_e2e.raw_http import chat_head, raw_connection
from tests.router_e2e.scripts import answers, gated_stream
from tests.router_e2e.world import credentials, endpoint, policy, provider, sealed, secret


async def test_a_request_in_flight_ends_on_the_table_it_began_with(upstream: FakeUpstream, other: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = gated_stream(gate)
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        old = asyncio.create_task(router.chat(stream=True))
        await upstream.arrived()
        await router.load(provider(other.url, "zenith"), policy("zenith/small"))
        assert (await router.chat()).headers["x-fairlead-model"] == "team/zenith/small"
        assert (await router.chat("acme/small")).status == 404
        gate.set()
        reply = await old
        assert (reply.status, reply.text, reply.events[-1]) == (200, "hello", b"[DONE]")
        record = await router.record(reply)
        assert (record["outcome"], record["snapshot"]["revision"]) == ("Succeeded", 1)
        explained = await router.request(
            "GET", f"/-/decisions/{reply.decision}", headers={"Accept": "text/plain"}, admin=True
        )
        assert "the configuration has changed since" in explained.body.decode()


async def test_no_request_fails_while_snapshots_change_all_the_time(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        going = True

        async def ask() -> set[int]:
            seen = set()
            while going:
                seen.add((await router.chat()).status)
            return seen

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        for number in range(40):
            place = upstream if number % 2 else other
            await router.load(provider(place.url, circuit_breaker=provider("x").circuit_breaker), policy("acme/small"))
            await asyncio.sleep(0)
        await upstream.arrived(10)
        going = False
        assert set().union(*await asyncio.gather(*asking)) == {200}


def corrupt(snapshot: Sealed) -> Sealed:
    return Sealed(snapshot.manifest, snapshot.payload[:-10])


def wrong_digest(snapshot: Sealed) -> Sealed:
    body = bytearray(zlib.decompress(snapshot.payload))
    body[-5] ^= 1
    return Sealed(snapshot.manifest, zlib.compress(bytes(body)))


def unsupported(snapshot: Sealed) -> Sealed:
    return Sealed(msgspec.structs.replace(snapshot.manifest, schema_version=99), snapshot.payload)


def too_large(snapshot: Sealed) -> Sealed:
    return Sealed(msgspec.structs.replace(snapshot.manifest, body_bytes=1 << 40), snapshot.payload)


GOOD = provider("http://127.0.0.1:1/v1"), policy("acme/small", name="newer")
REFUSED = [
    ("Stale", sealed(*GOOD, revision=1)),
    ("Stale", sealed(*GOOD, revision=9, epoch=0)),
    ("Malformed", corrupt(sealed(*GOOD, revision=2))),
    ("DigestMismatch", wrong_digest(sealed(*GOOD, revision=2))),
    ("SchemaUnsupported", unsupported(sealed(*GOOD, revision=2))),
    ("TooLarge", too_large(sealed(*GOOD, revision=2))),
    ("Malformed", sealed(provider([endpoint("http://[bad")]), revision=2)),
]


@pytest.mark.parametrize(("reason", "snapshot"), REFUSED)
async def test_a_snapshot_that_must_not_run_changes_nothing_and_says_why(
    upstream: FakeUpstream, reason: str, snapshot: Sealed
) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        assert not await router.running.receiver.offer(snapshot, credentials("k"), source="door")
        shown = (await router.request("GET", "/-/config", admin=True)).json
        assert (shown["revision"], [each["name"] for each in shown["policies"]]) == (1, ["route"])
        assert (shown["lastRejected"]["reason"], shown["lastRejected"]["source"]) == (reason, "door")
        assert await router.metric("fairlead_config_last_reload_success") == 0
        assert await router.metric("fairlead_config_rejections_total", reason=reason) == 1
        assert (await router.chat()).headers["x-fairlead-policy"] == "team/route"
        await router.load(provider(upstream.url), policy("acme/small"))
        assert await router.metric("fairlead_config_last_reload_success") == 1


async def test_the_same_snapshot_again_is_fine(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        again = sealed(provider(upstream.url), policy("acme/small"), revision=1)
        assert await router.running.receiver.offer(again, Credentials(), source="another door")
        assert router.running.receiver.rejected is None


async def test_a_later_epoch_wins_whatever_its_revision(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        restored = sealed(provider(upstream.url), policy("acme/small", name="restored"), epoch=2, revision=0)
        assert await router.running.receiver.offer(restored, Credentials(), source="test")
        assert (await router.chat()).headers["x-fairlead-policy"] == "team/restored"


async def test_a_key_is_exchanged_without_a_new_snapshot(upstream: FakeUpstream) -> None:
    fragments = provider(upstream.url, credential=secret("1")), policy("acme/small")
    async with serving() as router:
        await router.load(*fragments, credentials=credentials("first"))
        await router.chat()
        running = router.running.receiver.table.used
        same = sealed(*fragments, revision=running.revision)
        assert await router.running.receiver.offer(same, credentials("second"), source="test")
        await router.chat()
        await router.load(provider(upstream.url, credential=secret("2")), credentials=credentials("third", "2"))
        await router.chat("small")
        assert [each.headers["authorization"] for each in upstream.received] == [
            "Bearer first",
            "Bearer second",
            "Bearer third",
        ]


async def test_a_key_that_is_late_holds_back_its_provider_and_nobody_else(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    async with serving() as router:
        new = provider(upstream.url, generation=2, credential=secret("2"))
        await router.load(new, provider(other.url, "zenith"), policy("acme/small", "zenith/small"))
        assert await router.metric("fairlead_config_pending_credentials") == 1
        shown = await router.request("GET", "/-/config", admin=True)
        assert shown.json["pending"] == [
            {"provider": "team/acme", "secret": "acme-key", "key": "token", "version": "2"}
        ]
        reply = await router.chat()
        assert (reply.status, reply.headers["x-fairlead-model"]) == (200, "team/zenith/small")
        (removed,) = [each for each in (await router.record(reply))["candidates"] if each.get("removed")]
        assert "CredentialsPending" in removed["removed"]["message"]
        same = sealed(
            new,
            provider(other.url, "zenith"),
            policy("acme/small", "zenith/small"),
            revision=router.running.receiver.table.used.revision,
        )
        assert await router.running.receiver.offer(same, credentials("late", "2"), source="test")
        assert (await router.chat()).headers["x-fairlead-model"] == "team/acme/small"
        assert upstream.received[-1].headers["authorization"] == "Bearer late"
        assert await router.metric("fairlead_config_pending_credentials") == 0
        await router.load(provider(other.url, generation=3, credential=secret("3")), policy("acme/small"))
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer late"


async def test_a_key_that_is_withdrawn_withholds_its_provider_at_once(upstream: FakeUpstream) -> None:
    async with serving() as router:
        await router.load(provider(upstream.url, credential=secret("1")), credentials=credentials("first"))
        assert (await router.chat("small")).status == 200
        await router.load(provider(upstream.url, credential=secret(""), withheld="SecretNotFound"))
        reply = await router.chat("small")
        assert (reply.status, reply.error_code) == (503, "no_candidate")
        assert len(upstream.received) == 1


async def test_stopping_lets_a_request_in_flight_finish(upstream: FakeUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = [gate, *answers()]
    stack = AsyncExitStack()
    router = await stack.enter_async_context(serving(provider(upstream.url), policy("acme/small"), shutdown_seconds=30))
    async with raw_connection(router) as connection:
        body = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
        await connection.send(chat_head(f"Content-Length: {len(body)}") + body)
        await upstream.arrived()
        stopping = asyncio.create_task(stack.aclose())
        await eventually(lambda: refuses(router.running.port), "no new connection is taken")
        assert not stopping.done()
        gate.set()
        assert (await connection.answer())[0] == 200
        await stopping


async def refuses(port: int) -> bool:
    """Whether nobody listens on ``port`` any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False
