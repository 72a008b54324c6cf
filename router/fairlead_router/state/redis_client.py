"""From a URL to a client: one Redis by TCP, TLS or Unix socket, or the master that Sentinels name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

_DIRECT = {"redis": Connection, "rediss": SSLConnection, "unix": UnixDomainSocketConnection}
_SENTINEL = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
_SENTINEL_PORT = 26379
_FORMS = (
    "takes redis://HOST:PORT/DB, rediss://…, unix:///PATH, or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB "
    "(rediss+sentinel:// for TLS); USER:PASSWORD@ before the host"
)


class BadRedisUrl(ValueError):
    """A URL that names no Redis. The message does not quote it: there may be a password in it."""


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """How to reach Redis, and for how long to try."""

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    """Wins over one in the URL."""
    sentinel_password: str | None = field(default=None, repr=False)
    connect_seconds: float = 1.0
    operation_seconds: float = 0.25
    """For each read and write of a socket."""
    max_connections: int = 16

    @property
    def shown(self) -> str:
        """The URL without credentials and options, for messages."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def redis_client(access: RedisAccess) -> Redis:
    """A client that connects at first use. Raises ``BadRedisUrl``."""
    common: dict[str, Any] = {
        "socket_connect_timeout": access.connect_seconds,
        "socket_timeout": access.operation_seconds,
        "socket_keepalive": True,
        # A reservation that is tried twice would be made twice; whoever calls knows what may be repeated.
        "retry": Retry(NoBackoff(), 0),
        # What Redis 6 speaks too, and without the handshake of notifications that only some services send.
        "protocol": 2,
        # It would look for its own version on the disk at each connection.
        "driver_info": None,
    }
    try:
        scheme, _, path, _, _ = urlsplit(access.url)
        if scheme in _SENTINEL:
            return _by_sentinel(access, common)
        # A password with a bare slash in it would be read as host and path.
        if scheme not in _DIRECT or (scheme != "unix" and not path.strip("/").isdigit() and path.strip("/")):
            raise BadRedisUrl(_FORMS)
        options = common | dict(parse_url(access.url)) | _password(access)
        if scheme == "unix":
            options.pop("socket_keepalive")
        kind = options.pop("connection_class", _DIRECT[scheme])
        pool = ConnectionPool(connection_class=kind, max_connections=access.max_connections, **options)
        return Redis.from_pool(pool)
    except BadRedisUrl:
        raise
    except ValueError:
        raise BadRedisUrl(_FORMS) from None


def _by_sentinel(access: RedisAccess, common: dict[str, Any]) -> Redis:
    parts = urlsplit(access.url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not hosts or not (database.isdigit() or not database):
        raise BadRedisUrl(_FORMS)
    # The rest is written as for one server; its host is not used.
    plain = f"{_SENTINEL[parts.scheme]}://{credentials and credentials + '@'}unused/{database}?{parts.query}"
    given = dict(parse_url(plain))
    given.pop("host")
    kind = given.pop("connection_class", None)
    secure = {"ssl": True} if kind is not None else {}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_address(each) for each in hosts.split(",")],
        # A Sentinel that hangs must not keep the others from being asked.
        sentinel_kwargs=common | secure | {"password": access.sentinel_password},
    )
    options = common | given | secure | _password(access)
    pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
        unquote(service), sentinel, max_connections=access.max_connections, **options
    )
    return Redis.from_pool(pool)


async def close_client(client: Redis) -> None:
    """Close its connections, those to the Sentinels too."""
    pool = client.connection_pool
    await client.aclose()
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise BadRedisUrl(_FORMS)
    return parts.hostname, parts.port or _SENTINEL_PORT


def _password(access: RedisAccess) -> dict[str, str]:
    return {} if access.password is None else {"password": access.password}
