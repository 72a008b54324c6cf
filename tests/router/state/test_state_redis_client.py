"""URLs of Redis, what is shown of them, and how a client signs in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection

from devcluster.redis_server import RedisServer
from fairlead_router.state.redis import RedisStore
from fairlead_router.state.redis_client import BadRedisUrl, RedisAccess, close_client, redis_client
from fairlead_router.state.store import StoreUnavailable

PASSWORD = "canary-p@ss/word"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://redis", {"host": "redis"}),
        ("redis://redis:7000/3", {"host": "redis", "port": 7000, "db": 3}),
        ("redis://ann:p%40ss@redis/0", {"host": "redis", "username": "ann", "password": "p@ss"}),
        ("unix:///run/redis.sock?db=2", {"path": "/run/redis.sock", "db": 2}),
        ("rediss://redis/0?ssl_ca_certs=/ca.pem", {"host": "redis", "ssl_ca_certs": "/ca.pem"}),
    ],
)
async def test_a_url_names_one_server(url: str, options: dict[str, object]) -> None:
    client = redis_client(RedisAccess(url))
    pool = client.connection_pool
    assert pool.connection_kwargs.items() >= options.items()
    kinds = {"unix": UnixDomainSocketConnection, "rediss": SSLConnection}
    assert issubclass(pool.connection_class, kinds.get(url.partition(":")[0], object))
    await close_client(client)


@pytest.mark.parametrize("scheme", ["redis+sentinel", "rediss+sentinel"])
async def test_a_url_names_sentinels_their_service_and_its_database(scheme: str) -> None:
    url = f"{scheme}://ann:p%40ss@one,two:7000,[::1]:7001/main/4"
    client = redis_client(RedisAccess(url, sentinel_password="other"))
    pool = client.connection_pool
    assert pool.service_name == "main"
    assert pool.connection_kwargs.items() >= {"db": 4, "username": "ann", "password": "p@ss"}.items()
    sentinels = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in sentinels] == [("one", 26379), ("two", 7000), ("::1", 7001)]
    assert {each["password"] for each in sentinels} == {"other"}
    assert issubclass(pool.connection_class, SentinelManagedSSLConnection) is (scheme == "rediss+sentinel")
    await close_client(client)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "http://redis",
        f"redis://ann:{PASSWORD}:x:redis",
        "redis://redis:port",
        "redis+sentinel://one:1",
        "redis+sentinel:///main/0",
        "redis+sentinel://one/main/zero",
        "redis+sentinel://one,,two/main",
        "redis://redis?socket_timeout=soon",
    ],
)
def test_a_url_that_names_no_redis_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(BadRedisUrl, match="takes redis://HOST") as raised:
        redis_client(RedisAccess(url))
    assert "canary" not in f"{raised.value} {raised.value.__cause__}"


def test_what_is_shown_of_an_access_holds_no_password() -> None:
    access = RedisAccess("redis+sentinel://ann:canary@one,two/main?password=canary", "canary", "canary")
    assert access.shown == "redis+sentinel://one,two/main"
    assert "canary" not in repr(access)


@pytest.fixture
async def guarded() -> AsyncIterator[RedisServer]:
    with TemporaryDirectory(prefix="fairlead-redis-") as folder:
        server = RedisServer(Path(folder), password=PASSWORD)
        await server.start()
        yield server
        await server.stop()


@pytest.mark.parametrize(
    ("url", "password", "comes_in"),
    [
        ("redis://:canary-p%40ss%2Fword@127.0.0.1:{port}", None, True),
        ("redis://127.0.0.1:{port}", PASSWORD, True),
        ("redis://:wrong@127.0.0.1:{port}", PASSWORD, True),
        ("redis://127.0.0.1:{port}", None, False),
        ("redis://127.0.0.1:{port}", "canary-wrong", False),
    ],
)
async def test_a_password_comes_from_the_url_or_from_its_file_and_is_never_told(
    guarded: RedisServer, url: str, password: str | None, comes_in: bool
) -> None:
    store = RedisStore(redis_client(RedisAccess(url.format(port=guarded.port), password)))
    answers = await asyncio.gather(store.put("key", b"", now=time.time(), ttl_seconds=10), return_exceptions=True)
    assert (answers == [None]) is comes_in
    assert comes_in or isinstance(answers[0], StoreUnavailable)
    assert "canary" not in str(answers)
    await store.close()
