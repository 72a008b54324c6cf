"""The store that routers share: Redis, alone or behind Sentinel. ``docs/state.md`` shows its keys and what each loss costs.

Imported only where Redis is used, as the client takes its time to load.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from fairlead_router.state import redis_scripts as scripts
from fairlead_router.state.redis_client import close_client
from fairlead_router.state.redis_lane import RedisLane
from fairlead_router.state.store import Balance, Granted, Limit, Refused, StoreUnavailable

_LARGE_BYTES = 64 * 1024
"""Values from here on are written on a connection of their own, so that nobody's reservation waits behind them."""

_KEPT_MILLISECONDS = 86_400_000
"""How long a name that was charged is remembered, and how long a reservation waits for somebody to expire it."""

_EXPIRE_AT_ONCE = 200
"""Reservations that one script call charges: well below a millisecond of Redis's time."""


class RedisStore:
    """:class:`~fairlead_router.state.store.StateStore` in Redis. ``now`` serves only to make spans of points in time."""

    def __init__(self, client: Redis, *, prefix: str = "fairlead", max_large: int = 8) -> None:
        """``max_large``: values beyond 64 KiB written at the same time."""
        self._client = client
        self._lane = RedisLane(client)
        self._large = asyncio.Semaphore(max_large)
        tag = f"{{{prefix}}}:"
        self._account = tag + "account:"
        self._reservation = tag + "reservation:"
        self._charged = tag + "charged:"
        self._deadlines = tag + "deadlines"
        self._value = tag + "value:"
        self._board = tag + "board:"
        self._board_deadlines = tag + "board-deadlines:"

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """See the interface."""
        each: list[str | int] = []
        for limit in limits:
            each += ["" if limit.limit_micro_usd is None else limit.limit_micro_usd, _span(limit.expires_at - now)]
        answer = await self._lane.run(
            scripts.RESERVE,
            self._money_keys(reservation, limits),
            reservation,
            micro_usd,
            _span(expires_at - now),
            _KEPT_MILLISECONDS,
            *each,
        )
        if answer[0]:
            return Granted(reservation)
        _, place, spent, reserved = answer
        return Refused(limits[place], Balance(int(spent), int(reserved)))

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        """See the interface."""
        keys = [self._reservation + reservation, self._deadlines]
        return bool(await self._lane.run(scripts.SETTLE, keys, reservation, micro_usd))

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        """See the interface."""
        spans = [_span(limit.expires_at - now) for limit in limits]
        keys = self._money_keys(reservation, limits)
        return bool(await self._lane.run(scripts.CHARGE, keys, reservation, micro_usd, _KEPT_MILLISECONDS, *spans))

    async def expire(self, *, now: float) -> int:
        """See the interface. Whichever router sweeps first charges; the others find nothing left."""
        total = 0
        looked_at: int
        charged: int
        while True:
            looked_at, charged = await self._lane.run(
                scripts.EXPIRE,
                [self._deadlines],
                self._reservation,
                self._charged,
                _KEPT_MILLISECONDS,
                _EXPIRE_AT_ONCE,
            )
            total += charged
            if looked_at < _EXPIRE_AT_ONCE:
                return total

    async def balance(self, account: str, *, now: float) -> Balance:
        """See the interface."""
        spent, reserved = await self._lane.send("HMGET", self._account + account, "spent", "reserved")
        return Balance(int(spent or 0), int(reserved or 0))

    async def get(self, key: str, *, now: float) -> bytes | None:
        """See the interface."""
        found: bytes | None = await self._lane.send("GET", self._value + key)
        return found

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        await self._set("SET", self._value + key, value, "PX", _span(ttl_seconds))

    async def put_if_absent(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> bool:
        """See the interface."""
        return await self._set("SET", self._value + key, value, "PX", _span(ttl_seconds), "NX") is not None

    async def delete(self, key: str, *, now: float, only: bytes | None = None) -> bool:
        """See the interface."""
        name = self._value + key
        if only is None:
            return bool(await self._lane.send("DEL", name))
        return bool(await self._lane.run(scripts.DELETE_ONLY, [name], only))

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        await self._lane.run(scripts.SHARE, self._board_keys(topic), key, value, _span(ttl_seconds))

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        """See the interface."""
        flat: list[bytes] = await self._lane.run(scripts.SHARED, self._board_keys(topic))
        return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}

    async def close(self) -> None:
        """See the interface."""
        await self._lane.close()
        await close_client(self._client)

    async def _set(self, name: str, key: str, value: bytes, *options: str | int) -> Any:
        if len(value) < _LARGE_BYTES:
            return await self._lane.send(name, key, value, *options)
        async with self._large:
            try:
                return await self._client.execute_command(name, key, value, *options)  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError) as error:
                raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    def _money_keys(self, reservation: str, limits: tuple[Limit, ...]) -> list[str]:
        accounts = [self._account + limit.account for limit in limits]
        return [self._reservation + reservation, self._charged + reservation, self._deadlines, *accounts]

    def _board_keys(self, topic: str) -> list[str]:
        return [self._board + topic, self._board_deadlines + topic]


def _span(seconds: float) -> int:
    """Milliseconds, at least one: Redis takes no key that is past its time."""
    return max(1, math.ceil(seconds * 1000))
