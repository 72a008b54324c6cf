"""Secrets: only labelled ones, each value with its route, gone at once, and to be read nowhere."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.cluster.operator.world import CREDENTIALS, SNAPSHOT, World, admin_of, policy, remote, until
from tests.router_e2e.fake_upstream import FakeUpstream, fake_upstream
from tests.router_e2e.scripts import answers

FIRST, SECOND, THIRD = "sk-first-DO-NOT-SHOW", "sk-second-DO-NOT-SHOW", "sk-third-DO-NOT-SHOW"
CHAT = policy("chat", "remote")


@pytest.fixture
async def upstreams() -> AsyncIterator[tuple[FakeUpstream, FakeUpstream]]:
    """Two providers that answer everybody."""
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(fake_upstream()) for _ in range(2)]
        one.default = other.default = answers()
        yield one, other


def keys_seen(upstream: FakeUpstream) -> list[str]:
    """The key of each request, as it arrived."""
    return [each.headers.get("authorization", "").removeprefix("Bearer ") for each in upstream.received]


async def test_a_secret_without_the_label_is_ignored_and_the_condition_says_what_to_do(
    world: World, upstreams: tuple[FakeUpstream, FakeUpstream]
) -> None:
    upstream, _ = upstreams
    await world.start(routers=1)
    await world.put_secret(labelled=False, first=FIRST)
    made = remote("remote", upstream.url, "first")
    await world.apply(made, CHAT)
    said = await world.shows(made, "ResolvedRefs", "False", "SecretNotFound")
    assert "fairlead.dev/credentials: provider" in said["message"]
    assert (await world.chat(world.installation.routers[0])).status >= 500
    assert upstream.received == []

    await world.put_secret(first=FIRST)
    await world.shows(made, "Ready", "True")
    assert (await world.chat(world.installation.routers[0])).status == 200
    assert keys_seen(upstream) == [FIRST]


async def test_a_rotation_reaches_the_upstream_and_no_request_fails_meanwhile(
    world: World, upstreams: tuple[FakeUpstream, FakeUpstream]
) -> None:
    upstream, _ = upstreams
    await world.start()
    await world.put_secret(first=FIRST)
    await world.apply(remote("remote", upstream.url, "first"), CHAT)
    await world.settle()
    async with _asking(world) as statuses:
        await until(lambda: _is_newest(upstream, FIRST), "the first key arriving")
        await world.put_secret(first=SECOND)
        await until(lambda: _is_newest(upstream, SECOND), "the new key arriving", timeout=5)
        await _old_values_are_dropped(world, FIRST)
    assert set(statuses) == {200}
    seen = keys_seen(upstream)
    assert set(seen) == {FIRST, SECOND}


async def test_an_address_and_its_key_change_together(
    world: World, upstreams: tuple[FakeUpstream, FakeUpstream]
) -> None:
    old, new = upstreams
    await world.start()
    await world.put_secret(first=FIRST, second=SECOND)
    await world.apply(remote("remote", old.url, "first"), CHAT)
    await world.settle()
    async with _asking(world) as statuses:
        for upstream, key in itertools.islice(itertools.cycle([(new, "second"), (old, "first")]), 6):
            before = len(upstream.received)
            await world.apply(remote("remote", upstream.url, key))

            async def arrives(upstream: FakeUpstream = upstream, before: int = before) -> bool:
                return len(upstream.received) > before

            await until(arrives, "requests going to the other address")
    assert set(statuses) == {200}
    assert set(keys_seen(old)) == {FIRST}
    assert set(keys_seen(new)) == {SECOND}


async def test_a_key_that_is_deleted_withdraws_its_provider_at_once_and_no_other(
    world: World, upstreams: tuple[FakeUpstream, FakeUpstream]
) -> None:
    upstream, other = upstreams
    await world.start()
    await world.put_secret(first=FIRST, second=SECOND)
    made, spared = remote("remote", upstream.url, "first"), remote("spared", other.url, "second")
    await world.apply(made, spared, CHAT, policy("spared", "spared", team="red"))
    await world.settle()
    await world.put_secret(second=SECOND)
    await world.shows(made, "ResolvedRefs", "False", "SecretKeyNotFound")

    async def withdrawn() -> bool:
        return all([(await world.chat(router)).status >= 500 for router in world.installation.routers])

    await until(withdrawn, "no request being sent without its key", timeout=5)
    received = len(upstream.received)
    for router in world.installation.routers:
        assert (await world.chat(router, "red")).status == 200
        assert (await world.chat(router)).status >= 500
    assert len(upstream.received) == received
    await _old_values_are_dropped(world, FIRST)

    await world.put_secret(first=THIRD, second=SECOND)
    await world.shows(made, "Ready", "True")
    assert (await world.chat(world.installation.routers[0])).status == 200
    assert keys_seen(upstream)[-1] == THIRD


async def test_values_are_to_be_read_nowhere_but_in_the_two_secrets(
    world: World, upstreams: tuple[FakeUpstream, FakeUpstream]
) -> None:
    upstream, _ = upstreams
    operator = await world.start(routers=1)
    (router,) = world.installation.routers
    await world.put_secret(first=FIRST)
    header = {"name": "x-second", "valueFrom": {"secretRef": {"name": "keys", "key": "second"}}}
    made = remote(
        "remote", upstream.url, "first", endpoints=[{"name": "main", "url": upstream.url, "headers": [header]}]
    )
    await world.apply(made, CHAT)
    await world.shows(made, "ResolvedRefs", "False", "SecretKeyNotFound")
    await world.put_secret(first=FIRST, second=SECOND)
    await world.shows(made, "Ready", "True")
    await world.put_secret(first=THIRD, second=SECOND)
    await until(lambda: _is_newest_after_a_request(world, upstream, THIRD), "the new key arriving")
    assert upstream.received[-1].headers["x-second"] == SECOND
    assert (await world.chat(router, model="remote-model")).status == 200

    kubectl = world.installation.control_plane.kubectl
    shown = {
        "snapshot": json.dumps(await world.kube.get(SNAPSHOT)),
        "objects": await kubectl("get", "fairlead", "-A", "-o", "yaml", "--show-managed-fields"),
        "events": await kubectl("get", "events", "-A", "-o", "yaml"),
        "configuration": await world.text_of(f"{router.admin}/-/config"),
        "router's metrics": await world.text_of(f"{router.admin}/metrics"),
        "operator's metrics": await world.text_of(f"{admin_of(operator)}/metrics"),
        "decisions": await world.text_of(f"{router.admin}/-/decisions"),
        "operator's log": operator.log.read_text(),
        "router's log": router.process.log.read_text(),
    }
    for where, text in shown.items():
        assert text, where
        for value in (FIRST, SECOND, THIRD):
            assert value not in text, where
    # They are where they belong: a test that finds nothing anywhere has looked in vain.
    assert THIRD in _decoded(await world.kube.get(CREDENTIALS))


async def _is_newest(upstream: FakeUpstream, key: str) -> bool:
    return keys_seen(upstream)[-1:] == [key]


async def _is_newest_after_a_request(world: World, upstream: FakeUpstream, key: str) -> bool:
    await world.chat(world.installation.routers[0])
    return await _is_newest(upstream, key)


async def _old_values_are_dropped(world: World, value: str) -> None:
    async def dropped() -> bool:
        return value not in _decoded(await world.kube.get(CREDENTIALS))

    await until(dropped, "the old value being gone from the credentials")


def _decoded(secret: dict[str, object]) -> str:
    data = secret["data"]
    assert isinstance(data, dict)
    return "".join(base64.b64decode(value).decode() for value in data.values())


@asynccontextmanager
async def _asking(world: World) -> AsyncIterator[list[int]]:
    """Requests to every router in turn for as long as the block lasts; the statuses of the answers."""
    statuses: list[int] = []

    async def ask() -> None:
        for router in itertools.cycle(world.installation.routers):
            statuses.append((await world.chat(router)).status)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(ask())
    try:
        yield statuses
    finally:
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(result, asyncio.CancelledError), result
