"""A Redis that lives in the time of a test: before a call from the future every deadline it keeps comes nearer."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from devcluster.redis_server import RedisServer
from fairlead_router.state.redis import RedisStore
from fairlead_router.state.store import Balance, Granted, Limit, Refused
from tests.router.state.contract import NOW

_PASS_TIME = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  assert(left > 0, key .. ' has no time to live')
  if left <= tonumber(ARGV[1]) then
    redis.call('DEL', key)
  else
    redis.call('PEXPIRE', key, left - ARGV[1])
    if redis.call('TYPE', key).ok == 'zset' then
      for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], member) end
    end
  end
end
"""


class TimedRedisStore:
    """A ``RedisStore`` whose server follows ``now``. Also asserts that each key has a time to live."""

    def __init__(self, server: RedisServer, url: str | None = None) -> None:
        self._client = Redis.from_url(url or server.url, protocol=2)
        self._store = RedisStore(self._client)
        self._now = NOW
        self._lock = asyncio.Lock()

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        await self._pass_time(now)
        return await self._store.reserve(reservation, limits, micro_usd, now=now, expires_at=expires_at)

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        await self._pass_time(now)
        return await self._store.settle(reservation, micro_usd, now=now)

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        await self._pass_time(now)
        return await self._store.charge(reservation, limits, micro_usd, now=now)

    async def expire(self, *, now: float) -> int:
        await self._pass_time(now)
        return await self._store.expire(now=now)

    async def balance(self, account: str, *, now: float) -> Balance:
        await self._pass_time(now)
        return await self._store.balance(account, now=now)

    async def get(self, key: str, *, now: float) -> bytes | None:
        await self._pass_time(now)
        return await self._store.get(key, now=now)

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        await self._pass_time(now)
        await self._store.put(key, value, now=now, ttl_seconds=ttl_seconds)

    async def put_if_absent(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> bool:
        await self._pass_time(now)
        return await self._store.put_if_absent(key, value, now=now, ttl_seconds=ttl_seconds)

    async def delete(self, key: str, *, now: float, only: bytes | None = None) -> bool:
        await self._pass_time(now)
        return await self._store.delete(key, now=now, only=only)

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        await self._pass_time(now)
        await self._store.share(topic, key, value, now=now, ttl_seconds=ttl_seconds)

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        await self._pass_time(now)
        return await self._store.shared(topic, now=now)

    async def close(self) -> None:
        await self._store.close()

    async def _pass_time(self, now: float) -> None:
        async with self._lock:
            if now != self._now:
                await self._client.eval(_PASS_TIME, 0, round((now - self._now) * 1000))  # type: ignore[misc]
                self._now = now
